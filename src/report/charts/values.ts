// The page's data, and how charts write and smooth numbers.
// The files of this folder are parts of one script: what is at their top level, all of them see.

type Values = readonly (number | null)[];

const page: import("../page/pageData.ts").PageData = JSON.parse(document.getElementById("data")!.textContent!);

const isNumber = (value: unknown): value is number => typeof value === "number";

const score = (value: number | null): string => value?.toFixed(3) ?? "–";

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** Four digits. */
function compact(value: number): string {
  if (value === 0) return "0";
  return Math.abs(value) < 0.01 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

const clip = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** The place of a point on the axis of the run. */
function where({ x, step }: { x: number; step: number }): string {
  return page.unit === "epoch" ? `epoch ${Number(x.toFixed(2))}, step ${step}` : `step ${step}`;
}

/** Moving average from both sides, exponential, so that the curve does not lag behind what it follows. */
function smooth(values: Values, span: number = Math.max(3, values.length / 20)): (number | null)[] {
  const alpha = 2 / (span + 1);
  const pass = (list: Values) => {
    let mean: number | null = null;
    return list.map((value) => {
      if (isNumber(value)) mean = mean === null ? value : mean + alpha * (value - mean);
      return mean;
    });
  };
  const before = pass(values);
  const after = pass(values.toReversed()).reverse();
  return values.map((value, i) => (value === null ? null : (before[i]! + after[i]!) / 2));
}

/** The upper end of an axis of AP: a little above the largest value. */
const apTop = (largest: number | undefined, room: number): number => Math.min(1, room * (largest || 1));
