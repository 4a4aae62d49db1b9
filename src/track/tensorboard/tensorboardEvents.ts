// The messages of TensorBoard's event files, and what of them tells how far a file has come.
// Field numbers: tensorboard/compat/proto/{event,summary,histogram,tensor}.proto

import type { Histogram } from "../../util/histogram.ts";
import {
  bytes,
  double,
  type Encoded,
  embed,
  float,
  int,
  message,
  packedDoubles,
  readFields,
  text,
} from "../../util/protobuf.ts";
import type { TrackedPicture } from "../tracker.ts";

/** One named value of a step. */
export type SummaryValue = Encoded;

/** The first event of a file: the format's version, from which on a restart removes what it makes void. */
export function fileVersion(): Encoded {
  return message(double(1, now()), text(3, "brain.Event:2"), embed(10, text(1, "rfdetr-train")));
}

/** From here on, events of this step and later ones that stand before in the run's files are void. */
export function restart({ step }: { step: number }): Encoded {
  return message(double(1, now()), int(2, step), embed(7, int(1, 1)));
}

/** Values of a step. `time`: when they were measured, as ISO text; default: now. */
export function summary(
  { step, time }: { step: number; time?: string | undefined },
  values: readonly SummaryValue[],
): Encoded {
  const seconds = Date.parse(time ?? "") / 1000;
  const measured = Number.isFinite(seconds) ? seconds : now();
  return message(double(1, measured), int(2, step), embed(5, ...values.map((value) => bytes(1, value))));
}

export function scalarValue(tag: string, value: number): SummaryValue {
  return message(text(1, tag), float(2, value));
}

export function pictureValue(tag: string, { width, height, data }: TrackedPicture): SummaryValue {
  return message(text(1, tag), embed(4, int(1, height), int(2, width), int(3, 3), bytes(4, data)));
}

export function histogramValue(tag: string, histogram: Histogram): SummaryValue {
  const { min, max, num, sum, sumSquares } = histogram;
  const { limits, counts } = withoutEmptyRuns(histogram);
  const moments = message(double(1, min), double(2, max), double(3, num), double(4, sum), double(5, sumSquares));
  return message(text(1, tag), embed(5, moments, packedDoubles(6, limits), packedDoubles(7, counts)));
}

/** The same distribution with each run of empty buckets as one: gradients leave most of the fine buckets empty. */
function withoutEmptyRuns({ limits, counts }: Pick<Histogram, "limits" | "counts">) {
  const kept = counts.map((count, i) => count > 0 || counts[i + 1] !== 0);
  return { limits: limits.filter((_, i) => kept[i]), counts: counts.filter((_, i) => kept[i]) };
}

const DT_STRING = 7;

/** Text, which TensorBoard shows as Markdown. */
export function textValue(tag: string, markdown: string): SummaryValue {
  const tensor = embed(8, int(1, DT_STRING), embed(2), bytes(8, Buffer.from(markdown, "utf8")));
  return message(text(1, tag), tensor, embed(9, embed(1, text(1, "text"))));
}

function now(): number {
  return Date.now() / 1000;
}

/** Last steps, by the part of the tag before the first slash, that events have scalars of. */
export type Reached = Map<string, number>;

/** Follow one event, in the order of the files. Anything but scalars and restarts changes nothing. */
export function followReached(reached: Reached, event: Uint8Array): void {
  const fields = new Map([...readFields(event)].map(({ field, value }) => [field, value]));
  const step = Number(BigInt.asIntN(64, (fields.get(2) as bigint | undefined) ?? 0n));
  if (fields.has(7)) for (const [group, last] of reached) reached.set(group, Math.min(last, step - 1));
  const values = fields.get(5);
  if (!(values instanceof Uint8Array)) return;
  for (const { value } of readFields(values)) {
    const parts = new Map([...readFields(value as Uint8Array)].map((part) => [part.field, part.value]));
    if (!parts.has(2)) continue;
    const [group = ""] = Buffer.from((parts.get(1) as Uint8Array | undefined) ?? [])
      .toString()
      .split("/");
    reached.set(group, Math.max(reached.get(group) ?? step, step));
  }
}
