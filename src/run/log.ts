// log.jsonl: what happened in a run, with times, by pino. Values under keys that look secret are left out.

import { dirname } from "node:path";
import pino from "pino";
import { checkInside } from "../util/untrusted/regular.ts";

export type Log = {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  close(): void;
};

/**
 * Append to a log file, written at once so that the last line before a crash is there. A log that cannot be written (a
 * full disk) never stops a run: `onError` is called once. Throws a UserError where a link or a pipe stands in its place.
 */
export function openLog(path: string, onError: (error: Error) => void = () => {}): Log {
  checkInside(path, dirname(path));
  const destination = pino.destination({ dest: path, sync: true, append: true, mkdir: true });
  let failed = false;
  const fail = (error: Error) => {
    if (!failed) onError(error);
    failed = true;
  };
  destination.on("error", fail);
  const logger = pino(
    {
      base: { pid: process.pid },
      level: "debug",
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
  const write =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields: Record<string, unknown> = {}) => {
      try {
        if (!failed) logger[level](redact(fields) as object, message);
      } catch (error) {
        fail(error as Error);
      }
    };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    close: () => {
      try {
        destination.end();
      } catch (error) {
        fail(error as Error);
      }
    },
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
