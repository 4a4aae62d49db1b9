// Tables of a page, one row to a line of text; a table that is too wide scrolls by itself.

import { type Html, html, type Part } from "./html.ts";

/** The first cell of a row, which names it. */
export function heading(text: Part): Html {
  return html`<th scope="row">${text}</th>`;
}

export function cell(text: Part, className = ""): Html {
  return html`<td${className && html` class="${className}"`}>${text}</td>`;
}

/** A cell whose text is at the right, with digits of one width. */
export function numberCell(text: Part): Html {
  return cell(text, "number");
}

export function code(text: string): Html {
  return html`<code>${text}</code>`;
}

/** `rows` hold cells; `columns` has their titles, those of numbers as `{ number }`. */
export function htmlTable({
  rows,
  columns = [],
  caption,
  className = "",
}: {
  rows: readonly (readonly Html[])[];
  columns?: readonly (string | { number: string })[];
  caption?: string;
  className?: string;
}): Html {
  return html`<div class="table"><table${className && html` class="${className}"`}>${caption && html`<caption>${caption}</caption>`}
${columns.length > 0 && html`<thead><tr>${columns.map(title)}</tr></thead>\n`}<tbody>
${rows.map((cells) => html`<tr>${cells}</tr>\n`)}</tbody></table></div>`;
}

function title(column: string | { number: string }): Html {
  return typeof column === "string"
    ? html`<th scope="col">${column}</th>`
    : html`<th scope="col" class="number">${column.number}</th>`;
}
