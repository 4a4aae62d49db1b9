// The libraries that a page holds before its charts. Of D3, no more than the charts use.

declare const Plot: typeof import("@observablehq/plot");

declare const d3: {
  extent(values: Iterable<number | null>): [number, number] | [undefined, undefined];
  format(specifier: string): (value: number) => string;
  max(values: Iterable<number | null>): number | undefined;
  max<Item>(items: Iterable<Item>, value: (item: Item) => number | null | undefined): number | undefined;
  min(values: Iterable<number | null>): number | undefined;
  quantile(values: Iterable<number | null>, p: number): number | undefined;
  sum(values: Iterable<number>): number;
};
