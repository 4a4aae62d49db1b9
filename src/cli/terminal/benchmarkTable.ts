// A benchmark's result as text for people.

import { type Benchmark, describeSetting, type SubjectFacts, type SubjectName } from "../../bench/result.ts";
import { COLUMNS, type Ratio, type Summary, type Verdict } from "../../bench/statistics.ts";
import { measuredSummary } from "../../instance/metrics.ts";
import { describeSlices } from "../../instance/slices/layout.ts";
import { type Cell, factTable, scoreText, table } from "./table.ts";

const NAME = 14;
const NUMBER = 7;

const PROCESSOR = "processor: what all threads computed in the forward pass, which other programs disturb less.";

export function benchmarkTable(result: Benchmark): string {
  const { subjects, images, settings, timings, comparisons, accuracy, notes, environment } = result;
  const alone = subjects.length === 1;
  const mark = (subject: SubjectName) => (alone ? "" : `${subject.toUpperCase()}  `);
  const { cpu, node } = environment;
  const lines = factTable([
    ...subjects.map((facts) => [alone ? "weights" : facts.subject.toUpperCase(), describe(facts)] as const),
    ["images", `${images.from}: ${images.count}`],
    ["machine", `${cpu.model}, ${cpu.cores} cores; Node ${node}`],
    ["rounds", `${settings.rounds} after ${settings.warm_up} of warm-up`],
  ]);
  for (const setting of new Set(timings.map(describeSetting))) {
    const rows: Cell[][] = [["ms a batch", ...COLUMNS]];
    for (const timing of timings.filter((one) => describeSetting(one) === setting)) {
      const { subject, total, stages, processor, images_per_second } = timing;
      rows.push([`${mark(subject)}total`, ...times(total), ` ${images_per_second.toFixed(2)} images/s`]);
      const indent = " ".repeat(mark(subject).length + 2);
      for (const [stage, summary] of Object.entries(stages)) rows.push([indent + stage, ...times(summary)]);
      if (processor) rows.push([`${indent}processor`, ...times(processor)]);
    }
    lines.push("", setting, ...table(rows, { least: [NAME, ...COLUMNS.map(() => NUMBER)] }));
    for (const { total, forward, processor } of comparisons.filter((one) => describeSetting(one) === setting)) {
      lines.push(`B takes ${ratio(total)}`, `its forward pass alone: ${ratio(forward)}`);
      if (processor) lines.push(`its forward pass on the processor: ${ratio(processor)}`);
    }
  }
  if (accuracy.length > 0) {
    const head = [
      `${accuracy[0]!.images} images`,
      ...(alone ? [] : accuracy.map(({ subject }) => subject.toUpperCase())),
    ];
    const names = [...measuredSummary(accuracy.map(({ metrics }) => metrics)), "F1"];
    const rows = names.map((name) => [name, ...accuracy.map(({ metrics }) => scoreText(metrics[name] as number))]);
    lines.push("", ...table([head, ...rows], { least: [NAME, ...accuracy.map(() => NUMBER)] }));
  }
  const all = [...(timings.some(({ processor }) => processor !== null) ? [PROCESSOR] : []), ...notes];
  if (all.length > 0) lines.push("", ...factTable(all.map((note) => ["note", note])));
  return lines.join("\n");
}

function describe({ source, resolution, bytes, runtime, device, load_ms, slices }: SubjectFacts): string {
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  const parts = slices ? `, ${describeSlices(slices)}` : "";
  return `${source}, ${resolution} pixels${parts}, ${size}, ${runtime} on ${device}, ready in ${(load_ms / 1000).toFixed(2)} s`;
}

function times(summary: Summary): string[] {
  return COLUMNS.map((name) => summary[name].toFixed(2));
}

/** "0.852 of A's time by the medians (95 % interval 0.840 to 0.861): faster" */
function ratio({ value, low, high, confidence, verdict }: Ratio & { verdict: Verdict }): string {
  const interval = `${Math.round(100 * confidence)} % interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
  return `${value.toFixed(3)} of A's time by the medians (${interval}): ${verdict}`;
}
