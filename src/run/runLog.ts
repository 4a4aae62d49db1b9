// What log.jsonl says about a run: how long it took, how it stands, what people should know.

import { dirname } from "node:path";
import { type Fact, sentence } from "../util/text/fact.ts";
import { parseJson } from "../util/untrusted/json.ts";
import { checkInside, openRegular } from "../util/untrusted/regular.ts";

/** Of a longer log only the end is read, and the first line. */
const MOST_BYTES = 16 << 20;
const FIRST_BYTES = 64 << 10;
const MOST_EVENTS = 200;

/** `gone`: the log has no end, and no process writes the run any more. */
export type RunStatus = "done" | "interrupted" | "out-of-time" | "failed" | "running" | "gone";

export type RunLog = {
  /** As far as a log can tell, which knows nothing of a process that was killed. */
  status: RunStatus;
  /** Of training, the time between a stop and a resume left out. */
  seconds: number | null;
  /** Times of the first and the last line, as ISO text. */
  first: string | null;
  last: string | null;
  /** What the run said about weights, data, model and device when it (re)started last. */
  facts: Fact[];
  size: { epochs: number; stepsPerEpoch: number; totalSteps: number } | null;
  /** What the steps of each stage cost, once for each time that it was left: median seconds, most resident memory. */
  costs: { steps: number; seconds: number; peakBytes: number }[];
  /** Starts, stops, warnings and notices, oldest first. */
  events: { time: string; level: "info" | "warning" | "error"; message: string }[];
};

/** Pino's level, 30 for information; the time is empty where the line does not say. */
type Line = { level: number; time: string; msg: string } & Record<string, unknown>;

const ENDS: readonly string[] = ["done", "interrupted", "out-of-time", "failed"] satisfies RunStatus[];
const STARTS = ["started", "resumed"];

/** A log as it stands: a run without an end goes on only where a process writes it. */
export function asHeld(log: RunLog, isHeld: boolean): RunLog {
  return log.status === "running" && !isHeld ? { ...log, status: "gone" } : log;
}

/** Read a log; one that is missing or damaged says less, and that is all. */
export async function readLog(path: string): Promise<RunLog> {
  const { first, end } = await readEnds(path).catch(() => ({ first: "", end: "" }));
  const lines = parse(end);
  const timed = [...parse(first), ...lines].map(({ time }) => time).filter((time) => !Number.isNaN(Date.parse(time)));
  const log: RunLog = {
    ...{ status: "running", seconds: null, first: timed[0] ?? null, last: timed.at(-1) ?? null },
    ...{ facts: [], size: null, costs: [], events: [] },
  };
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
      if (Array.isArray(fields.facts)) log.facts = fields.facts.map(toFact);
      log.size = sizeOf(fields.size) ?? log.size;
    }
    if (time !== "") until = Date.parse(time);
    if (ENDS.includes(msg)) log.status = msg as RunStatus;
    const cost = msg === "stage cost" ? costOf(fields) : null;
    if (cost) log.costs.push(cost);
    const isShown = level >= 40 || STARTS.includes(msg) || ENDS.includes(msg) || Object.keys(fields).length === 0;
    if (isShown && time !== "") {
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

/** A fact of a log; older versions wrote "name: value" as a sentence, and parts of another indented. */
function toFact(found: unknown): Fact {
  if (typeof found === "object" && found !== null) {
    const { name, value, under } = found as Record<string, unknown>;
    const text = (one: unknown) => (typeof one === "string" ? one : "");
    return { name: text(name), value: text(value), ...(typeof under === "string" && { under }) };
  }
  const [, indent, name, value] = /^( *)([A-Za-z0-9][\w -]{0,30}): (.*)$/s.exec(String(found)) ?? [];
  if (name === undefined || value === undefined) return sentence(String(found));
  return { name, value, ...(indent && { under: "Data" }) };
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

function costOf({ steps, seconds, peakBytes }: Record<string, unknown>): RunLog["costs"][number] | null {
  const isAmount = (value: unknown): value is number => typeof value === "number" && value > 0;
  return isAmount(steps) && isAmount(seconds) && isAmount(peakBytes) ? { steps, seconds, peakBytes } : null;
}

function parse(text: string): Line[] {
  return text.split("\n").flatMap((line): Line[] => {
    try {
      const { level, time, msg, ...fields } = parseJson(line, "a line") as Partial<Line>;
      if (typeof msg !== "string") return [];
      const known = { level: typeof level === "number" ? level : 30, time: typeof time === "string" ? time : "" };
      return [{ ...fields, ...known, msg }];
    } catch {
      return []; // torn by a crash, or the beginning that was cut
    }
  });
}

/** The end of a log, and the first line of one that is longer than that. */
async function readEnds(path: string): Promise<{ first: string; end: string }> {
  checkInside(path, dirname(path));
  const file = await openRegular(path, { links: false });
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MOST_BYTES);
    const end = Buffer.alloc(length);
    await file.read(end, 0, length, size - length);
    const begin = Buffer.alloc(size > length ? FIRST_BYTES : 0);
    if (begin.length > 0) await file.read(begin, 0, begin.length, 0);
    return { first: begin.toString("utf8").split("\n", 1)[0]!, end: end.toString("utf8") };
  } finally {
    await file.close();
  }
}
