// Stages that are recorded on their first two runs with inputs of some shapes, and replayed from the third on as functions of
// TensorFlow. Whatever cannot be replayed goes on as ever, and the reason is kept.

import { signature, takeApart, tensorsIn } from "./containers.ts";
import { type Installed, install, opDefOf, type Replay, replay, uninstall } from "./functions.ts";
import { eagerKernels, plainKernel, recordingBinding } from "./kernels.ts";
import { isInPlace, planOf } from "./plan.ts";
import { emptyTape, runOnTape, type Tape } from "./tape.ts";

/** A stage on its way: parts one after the other, between which the host may look at results. */
export type Chain = {
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
export type ChainOptions = { key?: string; parts?: number };

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

/** `first`: the fingerprint of the first run. `failed`: it goes on eagerly. */
type Entry =
  | { state: "first"; fingerprint: string }
  | { state: "installed"; installed: Installed; uses: number; warm: boolean }
  | { state: "failed" };

export function createRecorder({ xla = false, most = 64, operations = 400 }: RecorderOptions = {}): Recorder {
  const binding = recordingBinding();
  if (!binding) {
    const news = [
      "Stages are not recorded: the engine was not built by this version's set-up (npm run setup). They run one operation at a time",
    ];
    return { ...EAGER, news: () => news.splice(0) };
  }
  const entries = new Map<string, Entry>();
  const news: string[] = [];
  const opDef = opDefOf(binding);
  const kernelOf = eagerKernels(binding);

  const put = (key: string, entry: Entry) => {
    entries.delete(key);
    entries.set(key, entry);
    for (const [old, { state }] of entries) {
      if (entries.size <= most) break;
      if (state === "installed" && (entries.get(old) as { uses: number }).uses > 0) continue;
      remove(old);
    }
  };
  const remove = (key: string) => {
    const entry = entries.get(key);
    entries.delete(key);
    if (entry?.state === "installed") uninstall(binding, entry.installed);
  };
  const finish = (key: string, name: string, tape: Tape) => {
    const before = entries.get(key);
    try {
      const fused = xla && !isInPlace(tape);
      const plan = planOf(tape, { most: operations, opDef, kernelOf: fused ? plainKernel : kernelOf });
      if (before?.state !== "first") return put(key, { state: "first", fingerprint: plan.fingerprint });
      if (before.fingerprint !== plan.fingerprint) throw new Error("two runs of it did different things");
      const installed = install(binding, plan, { name, xla: fused });
      put(key, { state: "installed", installed, uses: 0, warm: false });
    } catch (error) {
      put(key, { state: "failed" });
      news.push(`The stage ${name} is not recorded and runs one operation at a time: ${(error as Error).message}`);
    }
  };

  /** Run and write down. */
  const recording = (key: string, name: string, parts: number): Chain => {
    const tape = emptyTape();
    return {
      async part(inputs, run) {
        const results = runOnTape(tape, { inputs: tensorsIn(inputs), takeApart }, run);
        if (tape.parts.length === parts) finish(key, name, tape);
        return results;
      },
      discard() {},
    };
  };

  const replaying = (name: string, entry: Entry & { state: "installed" }): Chain => {
    const run: Replay = replay(binding, entry.installed);
    const parts = entry.installed.plan.parts.length;
    const begin = performance.now();
    let done = 0;
    entry.uses++;
    const leave = () => {
      if (done >= 0) entry.uses--;
      done = -1;
      run.discard();
    };
    return {
      async part<Result>(inputs: unknown) {
        try {
          const results = await run.part<Result>(tensorsIn(inputs));
          if (++done === parts) {
            leave();
            if (!entry.warm) news.push(made(name, entry.installed, performance.now() - begin));
            entry.warm = true;
          }
          return results;
        } catch (error) {
          leave();
          throw error;
        }
      },
      discard: leave,
    };
  };

  return {
    chain(name, { key: more = "", parts = 1 } = {}) {
      let chain: Chain | undefined;
      return {
        async part(inputs, run) {
          if (!chain) {
            const key = `${name} ${more}\n${signature(inputs)}`;
            const entry = entries.get(key);
            if (entry) put(key, entry); // used just now
            if (entry?.state === "installed") chain = replaying(name, entry);
            else chain = entry?.state === "failed" ? EAGER.chain(name) : recording(key, name, parts);
          }
          return chain.part(inputs, run);
        },
        discard: () => chain?.discard(),
      };
    },
    news: () => news.splice(0),
    dispose() {
      for (const key of [...entries.keys()]) remove(key);
    },
  };
}

function made(name: string, { plan: { operations, parts } }: Installed, milliseconds: number): string {
  const functions = parts.reduce((sum, { pieces }) => sum + pieces.length, 0);
  const seconds = (milliseconds / 1000).toFixed(1);
  return `The stage ${name} is replayed from now on: ${operations} operations in ${functions} functions, prepared within ${seconds} s`;
}
