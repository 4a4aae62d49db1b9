// What a benchmark gives: plain data, the same for programs and for `--json`.

import type { Detector } from "../detector/detector.ts";
import type { Slices } from "../instance/slices/layout.ts";
import { rngFromSeed } from "../util/random/rng.ts";
import type { Accuracy } from "./accuracy.ts";
import type { BenchmarkEnvironment } from "./environment.ts";
import { type PipelineStage, STAGES, type Turn } from "./rounds.ts";
import { type Ratio, ratioOfMedians, type Summary, summarise, type Verdict, verdictOf } from "./statistics.ts";

/** Which of the two: `a` is `weights`, `b` is `against`. */
export type SubjectName = "a" | "b";

/** A way of running the models. `threads` is null where the runtime chose. */
export type Setting = { batch_size: number; threads: number | null; prefetch: boolean };

/** Times in milliseconds of a batch. */
export type Timing = Setting & {
  subject: SubjectName;
  total: Summary;
  stages: Partial<Record<PipelineStage, Summary>>;
  /** The forward pass's, of all threads together; null where images are fetched ahead. */
  processor: Summary | null;
  images_per_second: number;
};

type Judged = Ratio & { verdict: Verdict };

/** How many times as long b takes as a, by the medians. `processor` as in `Timing`. */
export type Comparison = Setting & { total: Judged; forward: Judged; processor: Judged | null };

export type SubjectFacts = {
  subject: SubjectName;
  weights: string;
  kind: Detector["kind"];
  source: string;
  file: string;
  bytes: number;
  sha256: string;
  resolution: number;
  native_resolution: number;
  runtime: string;
  /** "cpu" or the name of the GPU. */
  device: string;
  load_ms: number;
  /** The parts in which it looks at images; absent: at whole ones. */
  slices?: Slices;
};

/** What was measured, on what, and what disturbed it; plain data. */
export type Benchmark = {
  subjects: SubjectFacts[];
  images: { from: string; count: number };
  settings: { rounds: number; warm_up: number; seed: number };
  timings: Timing[];
  comparisons: Comparison[];
  /** One a subject; empty without a data set. */
  accuracy: ({ subject: SubjectName } & Accuracy)[];
  notes: string[];
  environment: BenchmarkEnvironment;
};

/** "batch 4, 2 threads, images fetched ahead" */
export function describeSetting({ batch_size, threads, prefetch }: Setting): string {
  const own = threads === null ? "the runtime's own threads" : `${threads} ${threads === 1 ? "thread" : "threads"}`;
  return `batch ${batch_size}, ${own}, ${prefetch ? "images fetched ahead" : "one stage after the other"}`;
}

/** Of the turns of one model. */
export function timing(subject: SubjectName, setting: Setting, turns: readonly Turn[]): Timing {
  const all = turns.reduce((sum, { total }) => sum + total, 0);
  const seen = STAGES.filter((stage) => turns[0]?.stages[stage] !== undefined);
  return {
    subject,
    ...setting,
    total: summarise(turns.map(({ total }) => total)),
    stages: Object.fromEntries(seen.map((stage) => [stage, summarise(turns.map(({ stages }) => stages[stage]!))])),
    processor: hasProcessor(turns) ? summarise(turns.map(({ processor }) => processor)) : null,
    images_per_second: (1000 * setting.batch_size * turns.length) / all,
  };
}

/** Of two that took turns. */
export function compare(setting: Setting, a: readonly Turn[], b: readonly Turn[], seed: number): Comparison {
  const judge = (one: readonly number[], other: readonly number[]) => {
    const found = ratioOfMedians(one, other, { rng: rngFromSeed(seed) });
    return { ...found, verdict: verdictOf(found) };
  };
  const ratio = (time: (turn: Turn) => number) => judge(a.map(time), b.map(time));
  const counted = hasProcessor(a) && hasProcessor(b);
  return {
    ...setting,
    total: ratio(({ total }) => total),
    forward: ratio(({ stages }) => stages.forward!),
    processor: counted ? judge(a.map(({ processor }) => processor), b.map(({ processor }) => processor)) : null, // biome-ignore format: one line
  };
}

function hasProcessor(turns: readonly Turn[]): turns is (Turn & { processor: number })[] {
  return turns.every(({ processor }) => processor !== undefined);
}
