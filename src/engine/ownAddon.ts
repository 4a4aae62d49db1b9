// Our own small addon (setup/native), which the set-up builds beside tfjs-node's.

import { createRequire } from "node:module";

type OwnAddon = {
  /** From here on, keep what native code writes to standard error. False where that cannot be done. */
  begin(): boolean;
  /** What was written since. */
  end(): string;
  /**
   * Answer SIGINT and SIGTERM at once, with the first two lines; another one, a second later or more, with `again`, and the one
   * after it, as late, with `farewell`, which ends the process. Where `again` is empty, the second one does.
   */
  answerSignals?(onInterrupt: string, onTerminate: string, again: string, farewell: string, exitCode: number): boolean;
  /** How often a signal has been answered since. */
  answers?(): number;
};

/** Undefined where the engine is missing, or was set up by other means. */
export function ownAddon(): OwnAddon | undefined {
  try {
    const require = createRequire(import.meta.url);
    return require("@tensorflow/tfjs-node-gpu/lib/napi-v8/rfdetr_capture.node") as OwnAddon;
  } catch {
    return undefined;
  }
}
