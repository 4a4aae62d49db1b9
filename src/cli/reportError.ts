// An error that ended a command: one message for what the user can fix, the stack for a bug.

import { LOST } from "../distributed/workerLost.ts";
import { visible } from "../util/visible.ts";
import { knownTrouble } from "./knownTrouble.ts";
import { clearLiveLines } from "./terminal/liveLine.ts";

/**
 * Write an error to stderr; with `json` also as one object to stdout. Returns the exit code: 2 the user can fix it, 1 a
 * bug, 75 another worker is gone and all may be started again.
 */
export function reportError(error: unknown, { json }: { json: boolean }): 1 | 2 | typeof LOST {
  clearLiveLines();
  const print = (text: string) => console.error(visible(text, { lines: true }));
  const known = knownTrouble(error);
  const { message } = known ?? (error instanceof Error ? error : { message: String(error) });
  const hint = known ? known.hint : REPORT;
  if (json) process.stdout.write(`${JSON.stringify({ error: { message, hint: hint ?? null } })}\n`);
  if (known) {
    print(message);
    if (hint) print(`Hint: ${hint}`);
    return known.code === "worker-lost" ? LOST : 2;
  }
  print(error instanceof Error ? (error.stack ?? message) : message);
  for (let cause = (error as Error | undefined)?.cause; cause instanceof Error; cause = cause.cause)
    print(`Caused by: ${cause.stack}`);
  print(REPORT);
  return 1;
}

const REPORT = "This is a bug in rfdetr-train. Please report it with the lines above.";
