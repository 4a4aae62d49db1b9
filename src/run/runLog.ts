// What log.jsonl tells about a run: how long it took, how it stands, what people should know.

import { open } from "node:fs/promises";

/** Of a longer log only the end is read. */
const MOST_BYTES = 16 << 20;
const MOST_EVENTS = 200;

export type RunStatus = "done" | "interrupted" | "out-of-time" | "failed" | "running";

export type RunLog = {
  status: RunStatus;
  /** Of training, the time between a stop and a resume left out. */
  seconds: number | null;
  /** Time of the last line, as ISO text. */
  last: string | null;
  /** What the run said about weights, data, model and device when it (re)started last. */
  facts: string[];
  size: { epochs: number; stepsPerEpoch: number; totalSteps: number } | null;
  /** Starts, stops, warnings and notices, oldest first. */
  events: { time: string; level: "info" | "warning" | "error"; message: string }[];
};

type Line = { level: number; time: string; msg: string } & Record<string, unknown>;

const ENDS: readonly string[] = ["done", "interrupted", "out-of-time", "failed"] satisfies RunStatus[];
const STARTS = ["started", "resumed"];

/** Read a log; one that is missing or damaged tells less, and that is all. */
export async function readLog(path: string): Promise<RunLog> {
  const lines = parse(await readEnd(path).catch(() => ""));
  const log: RunLog = { status: "running", seconds: null, last: null, facts: [], size: null, events: [] };
  let [began, until] = [Number.NaN, Number.NaN];
  const close = () => {
    if (until > began) log.seconds = (log.seconds ?? 0) + (until - began) / 1000;
  };
  for (const line of lines) {
    const { level, time, msg, pid: _, ...fields } = line;
    if (STARTS.includes(msg)) {
      close();
      began = Date.parse(time);
      log.status = "running";
      if (Array.isArray(fields.facts)) log.facts = fields.facts.map(String);
      log.size = sizeOf(fields.size) ?? log.size;
    }
    until = Date.parse(time);
    log.last = time;
    if (ENDS.includes(msg)) log.status = msg as RunStatus;
    if (level >= 40 || STARTS.includes(msg) || ENDS.includes(msg) || Object.keys(fields).length === 0) {
      log.events.push({
        time,
        level: level >= 50 ? "error" : level >= 40 ? "warning" : "info",
        message: messageOf(line),
      });
    }
  }
  close();
  log.events = log.events.slice(-MOST_EVENTS);
  return log;
}

function messageOf({ msg, step, error }: Line): string {
  const at = typeof step === "number" && (STARTS.includes(msg) || ENDS.includes(msg)) ? `, at step ${step}` : "";
  const why = (error as { message?: unknown } | undefined)?.message;
  const text = typeof why === "string" ? `${msg}: ${why}` : `${msg}${at}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sizeOf(value: unknown): RunLog["size"] {
  const { epochs, stepsPerEpoch, totalSteps } = (value ?? {}) as Record<string, unknown>;
  const isCount = (count: unknown): count is number => typeof count === "number" && count > 0;
  return isCount(epochs) && isCount(stepsPerEpoch) && isCount(totalSteps)
    ? { epochs, stepsPerEpoch, totalSteps }
    : null;
}

function parse(text: string): Line[] {
  return text.split("\n").flatMap((line): Line[] => {
    try {
      const value = JSON.parse(line) as Partial<Line>;
      return typeof value.msg === "string" && typeof value.time === "string" && typeof value.level === "number"
        ? [value as Line]
        : [];
    } catch {
      return []; // torn by a crash, or the beginning that was cut
    }
  });
}

async function readEnd(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MOST_BYTES);
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, size - length);
    return bytes.toString("utf8");
  } finally {
    await file.close();
  }
}
