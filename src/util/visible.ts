// Text from files on a terminal: control characters are shown, not sent, and its width is counted in cells.

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/gu;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;

/**
 * A text that a terminal can be given: characters that move the cursor, ring, colour or turn the direction of writing
 * are written out, such as `\x1b` and `\u202e`. `lines`: line ends and tabs stay, for messages of several lines.
 */
export function visible(text: string, { lines = false }: { lines?: boolean } = {}): string {
  return text.replaceAll(CONTROLS, (character) => {
    if (lines && (character === "\n" || character === "\t")) return character;
    if (character === "\n") return "\\n";
    const code = character.codePointAt(0)!.toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** Cells that a text takes in a terminal: wide characters two, combining ones none. */
export function cellWidth(text: string): number {
  return [...text.replaceAll(NO_WIDTH, "")].length + (text.match(WIDE)?.length ?? 0);
}
