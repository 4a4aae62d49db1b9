// Tables on a terminal: columns aligned, numbers right, and no cell that moves the cursor.

import { cellWidth, visible } from "../../util/visible.ts";

export type Cell = string | number;

type Side = "left" | "right";

export type TableOptions = {
  /** One for each column; what is left out is that of the last one. By default text is left, all after it right. */
  align?: readonly Side[];
  /** Spaces between columns. */
  gap?: number;
  /** Least width of each column, so that several tables stand below each other. */
  least?: readonly number[];
};

/** Lines of rows in columns. A row may be shorter than others; its last cell may be longer than the column. */
export function table(
  rows: readonly (readonly Cell[])[],
  { align = ["left", "right"], gap = 2, least = [] }: TableOptions = {},
): string[] {
  const texts = rows.map((row) => row.map((cell) => visible(String(cell))));
  const columns = Math.max(0, ...texts.map(({ length }) => length));
  const widths = Array.from({ length: columns }, (_, i) =>
    texts.reduce((widest, row) => Math.max(widest, cellWidth(row[i] ?? "")), least[i] ?? 0),
  );
  const sideOf = (i: number) => align[Math.min(i, align.length - 1)];
  return texts.map((row) =>
    row
      .map((text, i) => {
        const space = " ".repeat(widths[i]! - cellWidth(text));
        return sideOf(i) === "left" ? text + space : space + text;
      })
      .join(" ".repeat(gap))
      .trimEnd(),
  );
}

/** Lines of names and what there is to say about each. */
export function factTable(rows: readonly (readonly [string, Cell])[], options: TableOptions = {}): string[] {
  return table(rows, { align: ["left"], ...options });
}

/** A score to four digits; "-" where nothing could be measured (COCO's -1). */
export function scoreText(value: number | undefined): string {
  return value === undefined || value < 0 ? "-" : value.toFixed(4);
}
