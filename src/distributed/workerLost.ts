// That training cannot go on because another worker is gone.

import { UserError } from "../util/errors.ts";

/** The exit code of a worker that ends because another one is gone: "temporary failure" (EX_TEMPFAIL). Schedulers start it again. */
export const LOST = 75;

/**
 * The error for what TensorFlow says of a collective operation that failed; anything that comes out of one is of another worker, or of the
 * way to it.
 */
export function workerLost(cause: unknown, { workers, rank }: { workers: readonly string[]; rank: number }): UserError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const isFirst = /CoordinationService\/Heartbeat/.test(text); // it is with the first worker that all others keep in touch
  const lost = isFirst ? 0 : tasksIn(text).find((task) => task !== rank && task < workers.length);
  const who = lost === undefined ? "Another worker" : `Worker ${lost} (${workers[lost]})`;
  const [, said] = /Error reported from \/job:worker\/(?:replica:0\/)?task:\d+: ([^\n]*)/.exec(text) ?? [];
  const hasSpoken = said !== undefined && !/stopped sending heartbeats/.test(said); // TensorFlow reports in the name of a silent one
  return new UserError(hasSpoken ? `${who} has ended: ${cut(said)}` : `${who} is gone: ${reasonOf(text)}`, {
    hint: "What it was stopped by is in its own output. All workers end; started again with --resume, they go on from the last checkpoint.",
    code: "worker-lost",
    cause,
  });
}

/** Ranks of the workers that TensorFlow names in a text. */
export function tasksIn(text: string): number[] {
  return [...text.matchAll(/\/job:worker\/(?:replica:0\/)?task:(\d+)/g)].map(([, task]) => Number(task));
}

/** What a person can make of TensorFlow's words. */
function reasonOf(text: string): string {
  if (/heartbeat/i.test(text)) return "it has shown no sign of life.";
  if (/Socket closed|Connection reset|connection attempts failed|failed to connect/i.test(text))
    return "its connection broke off.";
  const line = text
    .replace(/^Invalid TF_Status: \d+\s*(Message: )?/, "")
    .split("\n")[0]!
    .trim();
  return cut(line);
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)} ...` : text;
}
