// log.jsonl: what happened in a run, with times, by pino. Values under keys that look secret are left out.

import pino from "pino";
import { openLogFile } from "./records/logFile.ts";

export type Log = {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  close(): void;
};

/**
 * Append to a log file, written at once so that the last line before a crash is there. A log that cannot be written (a
 * full disk) never stops a run: its lines wait (`openLogFile`). Throws a UserError where a link or a pipe stands in its place.
 */
export function openLog(path: string): Log {
  const file = openLogFile(path);
  const logger = pino(
    {
      base: { pid: process.pid },
      level: "debug",
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err },
    },
    file,
  );
  const write =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields: Record<string, unknown> = {}) =>
      logger[level](redact(fields) as object, message);
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    close: file.close,
  };
}

const SECRET = /(^|[_-])(api_?key|access_?key|token|secret|password|passwd|credentials?|authorization|cookie)$/i;

/** A copy in which every value under a key that looks secret reads "[redacted]". Errors and other objects stay. */
export function redact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const words = key.replaceAll(/([a-z])([A-Z])/g, "$1_$2");
      return [key, SECRET.test(words) ? "[redacted]" : redact(child)];
    }),
  );
}
