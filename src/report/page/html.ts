// Safe HTML: what is put into a template is text and comes out escaped, unless it is HTML itself.

export class Html {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Part = Html | string | number | null | undefined | false | readonly Part[];

/** html`<p>${anything}</p>`: strings are escaped, HTML stays, lists are joined, null, undefined and false are nothing. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map((text, i) => (i === 0 ? text : rendered(parts[i - 1]) + text)).join(""));
}

/** Text that is known to be HTML already, such as a library's. */
export function raw(text: string): Html {
  return new Html(text);
}

/** JSON that can stand in a script element: no character of it can end the element. */
export function json(value: unknown): Html {
  return raw(
    JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029"),
  );
}

function rendered(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(rendered).join("");
  return escaped(String(part));
}

const NAMES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Control characters and lone surrogates, which no HTML document may hold. */
const FORBIDDEN = /[^\P{Cc}\t\n\r]|\p{Cs}/gu;

function escaped(text: string): string {
  return text.replace(FORBIDDEN, "\ufffd").replace(/[&<>"']/g, (c) => NAMES[c]!);
}
