// Our addon that stands between tfjs-node's binding and libtensorflow, where several processes train together (setup/native/distributed).

import { createRequire } from "node:module";
import os from "node:os";
import { UserError } from "../util/errors.ts";
import { isBackendLoaded } from "./backend.ts";
import { setupInvocation } from "./libtensorflow.ts";

export type DistributedAddon = {
  /** What the runtime is told as soon as the engine is loaded; `address` is the only one that it listens at. */
  prepare(config: Uint8Array, server: Uint8Array, local: string, address: string, port: number): void;
  /** `ids`: how many ids of requests TensorFlow's runtime has taken from the addon. */
  state(): { joined: boolean; error: string; listening: boolean; ids: number };
  /** Tell the other processes that this one ends. */
  report(code: number, message: string): void;
  /**
   * A graph that several processes run together, a serialised GraphDef on which `node` is asked for; `config`: a ConfigProto, `target`: the
   * process that leads it, this one. Returns its number.
   */
  openSession(graph: Uint8Array, config: Uint8Array, target: string, node: string): number;
  /** Run it once, on a thread that Node does not wait for when it ends. */
  runSession(session: number): Promise<void>;
  /**
   * Rejects as soon as the runtime ends all that a group of processes does together. It waits for a broadcast with a key that nobody
   * else has, and that not all of them wait for.
   */
  watch(size: number, group: number, key: number): Promise<never>;
};

/** Load it, before the engine. Throws a UserError where this system or its set-up has none. */
export function loadDistributedAddon(): DistributedAddon {
  if (isBackendLoaded()) throw new Error("the workers must be joined before the engine is loaded");
  if (process.platform !== "linux")
    throw new UserError(`Several workers can train together on Linux only; this is ${process.platform}.`);
  const require = createRequire(import.meta.url);
  let path: string;
  try {
    path = require.resolve("@tensorflow/tfjs-node-gpu/lib/napi-v8/rfdetr_distributed.node");
  } catch (cause) {
    throw new UserError("What several workers need is not built yet.", { hint: `Run: ${setupInvocation()}`, cause });
  }
  const module = { exports: {} };
  process.dlopen(module, path, os.constants.dlopen.RTLD_NOW | os.constants.dlopen.RTLD_GLOBAL);
  const addon = module.exports as DistributedAddon;
  if (addon.state().ids === undefined)
    throw new UserError("What several workers need was built by another version.", {
      hint: `Run: ${setupInvocation()}`,
    });
  return addon;
}
