// A benchmark's result as text for people.

import { type Benchmark, describeSetting, type SubjectFacts, type SubjectName } from "../../bench/result.ts";
import { COLUMNS, type Ratio, type Summary, type Verdict } from "../../bench/statistics.ts";
import { SUMMARY } from "../../instance/metrics.ts";

const METRICS = [...SUMMARY, "F1"] as const;
const NAME = 16;

const PROCESSOR = "processor: what all threads computed in the forward pass, which other programs disturb less.";

export function benchmarkTable(result: Benchmark): string {
  const { subjects, images, settings, timings, comparisons, accuracy, notes, environment } = result;
  const alone = subjects.length === 1;
  const mark = (subject: SubjectName) => (alone ? "" : `${subject.toUpperCase()}  `);
  const { cpu, node } = environment;
  const lines = [
    ...subjects.map((facts) => row(alone ? "weights" : facts.subject.toUpperCase(), describe(facts))),
    row("images", `${images.from}: ${images.count}`),
    row("machine", `${cpu.model}, ${cpu.cores} cores; Node ${node}`),
    row("rounds", `${settings.rounds} after ${settings.warm_up} of warm-up`),
  ];
  for (const setting of new Set(timings.map(describeSetting))) {
    lines.push("", setting, `${"ms a batch".padEnd(NAME)}${COLUMNS.map((name) => name.padStart(9)).join("")}`);
    for (const timing of timings.filter((one) => describeSetting(one) === setting)) {
      const { subject, total, stages, processor, images_per_second } = timing;
      lines.push(`${`${mark(subject)}total`.padEnd(NAME)}${times(total)}   ${images_per_second.toFixed(2)} images/s`);
      for (const [stage, summary] of [
        ...Object.entries(stages),
        ...(processor ? [["processor", processor] as const] : []),
      ])
        lines.push(`${`${" ".repeat(mark(subject).length)}  ${stage}`.padEnd(NAME)}${times(summary)}`);
    }
    for (const { total, forward, processor } of comparisons.filter((one) => describeSetting(one) === setting)) {
      lines.push(`B takes ${ratio(total)}`, `its forward pass alone: ${ratio(forward)}`);
      if (processor) lines.push(`its forward pass on the processor: ${ratio(processor)}`);
    }
  }
  if (accuracy.length > 0) {
    lines.push("", `${accuracy[0]!.images} images`.padEnd(NAME) + (alone ? "" : accuracy.map(({ subject }) => subject.toUpperCase().padStart(9)).join(""))); // biome-ignore format: one line
    for (const name of METRICS)
      lines.push(name.padEnd(NAME) + accuracy.map(({ metrics }) => share(metrics[name] as number)).join(""));
  }
  const all = [...(timings.some(({ processor }) => processor !== null) ? [PROCESSOR] : []), ...notes];
  if (all.length > 0) lines.push("", ...all.map((note) => row("note", note)));
  return lines.join("\n");
}

function row(name: string, text: string): string {
  return name.padEnd(9) + text;
}

function describe({ source, resolution, bytes, runtime, device, load_ms }: SubjectFacts): string {
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  return `${source}, ${resolution} pixels, ${size}, ${runtime} on ${device}, ready in ${(load_ms / 1000).toFixed(2)} s`;
}

function times(summary: Summary): string {
  return COLUMNS.map((name) => summary[name].toFixed(2).padStart(9)).join("");
}

/** "0.852 of A's time by the medians (95 % interval 0.840 to 0.861): faster" */
function ratio({ value, low, high, confidence, verdict }: Ratio & { verdict: Verdict }): string {
  const interval = `${Math.round(100 * confidence)} % interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
  return `${value.toFixed(3)} of A's time by the medians (${interval}): ${verdict}`;
}

function share(value: number): string {
  return (value < 0 ? "-" : value.toFixed(4)).padStart(9);
}
