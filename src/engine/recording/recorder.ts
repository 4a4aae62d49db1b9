// Stages that are recorded on their first two runs with inputs of some shapes, and replayed from the third on as functions of
// TensorFlow. Whatever cannot be replayed goes on as ever, and the reason is kept.

import { setupInvocation } from "../libtensorflow.ts";
import { signature, takeApart, tensorsIn } from "./containers.ts";
import { type Installed, install, opDefOf, replay } from "./functions.ts";
import { eagerKernels, plainKernel, type RecordingBinding, recordingBinding } from "./kernels.ts";
import { isInPlace, planOf } from "./plan.ts";
import { type InstalledEntry, recordingStore } from "./store.ts";
import { emptyTape, runOnTape, type Tape } from "./tape.ts";

/** A stage on its way: parts one after the other, between which the host may look at results. */
type Chain = {
  /**
   * Run the next part, or replay it. `inputs`: tensors in nested objects and arrays, every one from outside that `run` reads in
   * this part or a later one; what changes from run to run has to be a tensor among them. The result, tensors in nested objects
   * and arrays too, is the caller's.
   */
  part<Result>(inputs: unknown, run: () => Result): Promise<Result>;
  /** Leave the chain before its last part. */
  discard(): void;
};

/** `key`: what the run depends on besides the inputs' shapes and element types. `parts`: default 1. */
type ChainOptions = { key?: string; parts?: number };

export type Recorder = {
  chain(name: string, options?: ChainOptions): Chain;
  /** What there is to say since the last call, a sentence each: recordings, and what cannot be recorded and why. */
  news(): string[];
  dispose(): void;
};

export type RecorderOptions = {
  /** Fuse operations by XLA. */
  xla?: boolean;
  /** Recordings that are kept; of more, the one that was used least recently is removed. */
  most?: number;
  /** Operations of one function. */
  operations?: number;
};

/** Runs everything as ever. */
export const EAGER: Recorder = {
  chain: () => ({ part: async (_inputs, run) => run(), discard() {} }),
  news: () => [],
  dispose() {},
};

export function createRecorder({ xla = false, most = 64, operations = 400 }: RecorderOptions = {}): Recorder {
  const binding = recordingBinding();
  if (!binding) {
    const news = [
      `Stages are not recorded and run one operation at a time: the engine was not built by this version's set-up. Run: ${setupInvocation()}`,
    ];
    return { ...EAGER, news: () => news.splice(0) };
  }
  const store = recordingStore(binding, most);
  const news: string[] = [];
  const options = { most: operations, opDef: opDefOf(binding) };
  const eager = eagerKernels(binding);

  const finish = (key: string, name: string, tape: Tape) => {
    const before = store.find(key);
    try {
      const fused = xla && !isInPlace(tape);
      const plan = planOf(tape, { ...options, kernelOf: fused ? plainKernel : eager });
      if (before?.state !== "first") return store.put(key, { state: "first", fingerprint: plan.fingerprint });
      if (before.fingerprint !== plan.fingerprint) throw new Error("two runs of it did different things");
      const installed = install(binding, plan, { name, xla: fused });
      store.put(key, { state: "installed", installed, uses: 0, warm: false });
    } catch (error) {
      store.put(key, { state: "failed" });
      news.push(`The stage ${name} is not recorded and runs one operation at a time: ${(error as Error).message}`);
    }
  };

  return {
    chain(name, { key: more = "", parts = 1 } = {}) {
      let chain: Chain | undefined;
      const begin = (inputs: unknown): Chain => {
        const key = `${name} ${more}\n${signature(inputs)}`;
        const entry = store.find(key);
        if (entry?.state === "failed") return EAGER.chain(name);
        if (entry?.state !== "installed") return recording(parts, (tape) => finish(key, name, tape));
        return replaying(binding, entry, (seconds) => news.push(made(name, entry.installed, seconds)));
      };
      return {
        async part(inputs, run) {
          chain ??= begin(inputs);
          return chain.part(inputs, run);
        },
        discard: () => chain?.discard(),
      };
    },
    news: () => news.splice(0),
    dispose: () => store.clear(),
  };
}

/** Run and write down; `finish` has the tape when the last part is done. */
function recording(parts: number, finish: (tape: Tape) => void): Chain {
  const tape = emptyTape();
  return {
    async part(inputs, run) {
      const result = runOnTape(tape, { inputs: tensorsIn(inputs), takeApart }, run);
      if (tape.parts.length === parts) finish(tape);
      return result;
    },
    discard() {},
  };
}

/** Replay; `warm` is called after the first time, which prepares the functions. */
function replaying(binding: RecordingBinding, entry: InstalledEntry, warm: (seconds: number) => void): Chain {
  const run = replay(binding, entry.installed);
  const begin = performance.now();
  let left = entry.installed.plan.parts.length;
  entry.uses++;
  const leave = () => {
    if (left >= 0) entry.uses--;
    left = -1;
    run.discard();
  };
  return {
    async part<Result>(inputs: unknown) {
      try {
        const result = await run.part<Result>(tensorsIn(inputs));
        if (--left > 0) return result;
        leave();
        if (!entry.warm) warm((performance.now() - begin) / 1000);
        entry.warm = true;
        return result;
      } catch (error) {
        leave();
        throw error;
      }
    },
    discard: leave,
  };
}

function made(name: string, { plan: { operations, parts } }: Installed, seconds: number): string {
  const functions = parts.reduce((sum, { pieces }) => sum + pieces.length, 0);
  return `The stage ${name} is replayed from now on: ${operations} operations in ${functions} functions, prepared within ${seconds.toFixed(1)} s`;
}
