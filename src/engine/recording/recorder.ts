// Stages that are recorded on their first two runs with inputs of some shapes, and replayed from the third on as functions of
// TensorFlow. Whatever cannot be replayed goes on as ever, and the reason is kept.

import * as tf from "@tensorflow/tfjs-core";
import { setupInvocation } from "../libtensorflow.ts";
import { withPlainOperations } from "../ownKernels.ts";
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

/** A sentence; and how long a recording took to prepare, or null for what is not replayed. */
type RecorderNews = { text: string; seconds: number | null };

export type Recorder = {
  chain(name: string, options?: ChainOptions): Chain;
  /**
   * Run something that has no effect but its result. Where replays round differently from what runs as ever, it is run again
   * until no stage in it was recorded on the way, so that the result never depends on what was recorded before; `free` has the
   * results that are not used.
   */
  settle<Result>(run: () => Promise<Result>, free: (result: Result) => void): Promise<Result>;
  /** What there is to say since the last call, a sentence each: recordings, and what cannot be recorded and why. */
  news(): RecorderNews[];
  dispose(): void;
};

export type RecorderOptions = {
  /** Fuse operations by XLA. The plain ones are recorded, since XLA has no kernels of ours; what changes variables is not fused. */
  xla?: boolean;
  /** Recordings that are kept; of more, the one that was used least recently is removed. */
  most?: number;
  /** Operations of one function. */
  operations?: number;
};

/** Runs everything as ever. */
export const EAGER: Recorder = {
  chain: () => ({ part: async (_inputs, run) => run(), discard() {} }),
  settle: (run) => run(),
  news: () => [],
  dispose() {},
};

export function createRecorder({ xla = false, most = 64, operations = 400 }: RecorderOptions = {}): Recorder {
  const binding = recordingBinding();
  if (!binding) {
    const why = "the engine was not built by this version's set-up";
    const text = `Stages are not recorded and run one operation at a time: ${why}. Run: ${setupInvocation()}`;
    const news = [{ text, seconds: null }];
    return { ...EAGER, news: () => news.splice(0) };
  }
  const store = recordingStore(binding, most);
  const news: RecorderNews[] = [];
  const options = { most: operations, opDef: opDefOf(binding) };
  const eager = eagerKernels(binding);
  let unsettled = 0;

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
      const text = `The stage ${name} is not recorded and runs one operation at a time: ${(error as Error).message}`;
      news.push({ text, seconds: null });
    }
  };

  return {
    chain(name, { key: more = "", parts = 1 } = {}) {
      let chain: Chain | undefined;
      const begin = (inputs: unknown): Chain => {
        const key = `${name} ${more}\n${signature(inputs)}`;
        const entry = store.find(key);
        if (entry?.state === "failed") return EAGER.chain(name);
        if (entry?.state !== "installed") {
          unsettled++;
          return recording({ parts, plain: xla }, (tape) => finish(key, name, tape));
        }
        return replaying(binding, entry, {
          made: (seconds) => news.push({ text: made(name, entry.installed, seconds), seconds }),
          failed: (reason) => {
            unsettled++;
            store.remove(key);
            store.put(key, { state: "failed" });
            const text = `The stage ${name} cannot be replayed and runs one operation at a time: ${reason}`;
            news.push({ text, seconds: null });
          },
        });
      };
      return {
        async part(inputs, run) {
          chain ??= begin(inputs);
          return chain.part(inputs, run);
        },
        discard: () => chain?.discard(),
      };
    },
    async settle(run, free) {
      for (;;) {
        const before = unsettled;
        const result = await run();
        if (!xla || unsettled === before) return result;
        free(result);
      }
    },
    news: () => news.splice(0),
    dispose: () => store.clear(),
  };
}

/** Run and write down, with TensorFlow's own operations only where `plain`; `finish` has the tape when the last part is done. */
function recording({ parts, plain }: { parts: number; plain: boolean }, finish: (tape: Tape) => void): Chain {
  const tape = emptyTape();
  return {
    async part(inputs, run) {
      const once = plain ? () => withPlainOperations(run) : run;
      const result = runOnTape(tape, { inputs: tensorsIn(inputs), takeApart }, once);
      if (tape.parts.length === parts) finish(tape);
      return result;
    },
    discard() {},
  };
}

type ReplayNews = {
  /** Called after the first time, which prepares the functions. */
  made(seconds: number): void;
  /** Called where the first time fails, before the chain goes on as ever. */
  failed(reason: string): void;
};

/** Replay. Where that fails the first time, the parts so far are run as ever, unless they change variables in place. */
function replaying(binding: RecordingBinding, entry: InstalledEntry, { made, failed }: ReplayNews): Chain {
  const replayed = replay(binding, entry.installed);
  const begin = performance.now();
  const before: (() => unknown)[] = [];
  let left = entry.installed.plan.parts.length;
  let eager = false;
  entry.uses++;
  const leave = () => {
    if (left >= 0) entry.uses--;
    left = -1;
    replayed.discard();
  };
  return {
    async part<Result>(inputs: unknown, run: () => Result) {
      if (eager) return run();
      try {
        const result = await replayed.part<Result>(tensorsIn(inputs));
        before.push(run);
        if (--left > 0) return result;
        leave();
        if (!entry.warm) made((performance.now() - begin) / 1000);
        entry.warm = true;
        return result;
      } catch (error) {
        leave();
        if (entry.warm || entry.installed.plan.inPlace) throw error;
        eager = true;
        failed((error as Error).message);
        for (const earlier of before) tf.dispose(takeApart(earlier()).tensors);
        return run();
      }
    },
    discard: leave,
  };
}

function made(name: string, { plan: { operations, parts } }: Installed, seconds: number): string {
  const functions = parts.reduce((sum, { pieces }) => sum + pieces.length, 0);
  return `The stage ${name} is replayed from now on: ${operations} operations in ${functions} functions, prepared within ${seconds.toFixed(1)} s`;
}
