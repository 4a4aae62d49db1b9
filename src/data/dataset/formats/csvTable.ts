// Tables of comma-separated values (RFC 4180), as people and programs write them: quotation marks, a byte-order mark, semicolons.

/** A row and the line of the file that it begins in, from 1. */
export type CsvRow = { line: number; fields: string[] };

/** The rows of a text one after the other, without those that are empty; what follows a quotation mark that is never closed is one field. */
export function* csvRows(text: string): Generator<CsvRow> {
  const clean = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const comma = separatorOf(clean);
  let row: CsvRow = { line: 1, fields: [] };
  let line = 1;
  let at = 0;
  while (at <= clean.length) {
    const isQuoted = clean[at] === '"';
    const end = isQuoted ? quoteEnd(clean, at) : plainEnd(clean, at, comma);
    const raw = clean.slice(isQuoted ? at + 1 : at, end);
    at = isQuoted ? plainEnd(clean, end + 1, comma) : end;
    row.fields.push(isQuoted ? raw.replaceAll('""', '"') + clean.slice(end + 1, at).trimEnd() : raw.trim());
    line += raw.split("\n").length - 1;
    if (clean[at] === comma) {
      at++;
      continue;
    }
    if (row.fields.some((field) => field !== "")) yield row;
    if (clean[at] === "\r" && clean[at + 1] === "\n") at++;
    at++;
    row = { line: ++line, fields: [] };
  }
}

/** Semicolons where the first line has more of them: programs write these where the comma stands in numbers. */
function separatorOf(text: string): "," | ";" {
  const first = text.slice(0, plainEnd(text, 0, "\n"));
  return first.split(";").length > first.split(",").length ? ";" : ",";
}

/** The place of the next separator or end of a line. */
function plainEnd(text: string, from: number, comma: string): number {
  let at = from;
  while (at < text.length && text[at] !== comma && text[at] !== "\n" && text[at] !== "\r") at++;
  return at;
}

/** The place of the quotation mark that closes the one at `start`; two of them are one in the text. */
function quoteEnd(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at < 0 ? text.length : at;
}
