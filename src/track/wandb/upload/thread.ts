// The thread that sends a run to W&B, seen from outside: orders go in, reports come out, and its end is bounded.

import { setTimeout as sleep } from "node:timers/promises";
import { startThread } from "../../../util/threads/thread.ts";
import { releaseLock } from "../folder/lock.ts";
import type { UploadOrder, UploadReport, UploadSettings } from "./messages.ts";

export type UploadThread = {
  /** Never throws and never waits. */
  order(order: UploadOrder): void;
  /** How it ended; undefined where the thread died. */
  ended: Promise<Extract<UploadReport, { type: "closed" }> | undefined>;
  /** End the thread, whatever it does. */
  kill(): Promise<void>;
};

const MOST_MEMORY_MB = 512;
const KILLED_WITHIN = 2000;
const MOST_OUTPUT_CHARACTERS = 2000;

/**
 * Start the thread. Beside a training it keeps no process alive. `report` gets all reports, what the client library prints as well; a
 * thread that dies reports `off`.
 */
export function startUploadThread(settings: UploadSettings, report: (report: UploadReport) => void): UploadThread {
  const worker = startThread("worker", import.meta.url, {
    workerData: settings,
    ...{ stdout: true, stderr: true },
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB },
  });
  if (settings.mode !== "replay") worker.unref();
  for (const stream of [worker.stdout, worker.stderr])
    stream.on("data", (text: Buffer) => {
      const message = withoutSecrets(String(text).trim()).slice(0, MOST_OUTPUT_CHARACTERS);
      report({ type: "notice", level: "debug", message: `The client library of W&B: ${message}` });
    });
  const ended = new Promise<Extract<UploadReport, { type: "closed" }> | undefined>((done) => {
    worker.on("message", (message: UploadReport) => {
      report(message);
      if (message.type === "closed") done(message);
    });
    let died = false;
    const die = (reason: string) => {
      if (!died) report({ type: "off", message: `The connection to W&B broke down: ${reason}.`, hint: "" });
      died = true;
      done(undefined);
    };
    worker.on("error", (error) => die(withoutSecrets(error.message)));
    worker.on("exit", () => done(undefined));
  });
  return {
    ended,
    order: (order) => {
      try {
        worker.postMessage(order);
      } catch (error) {
        report({ type: "notice", level: "warn", message: `W&B: ${(error as Error).message}` });
      }
    },
    kill: async () => {
      await Promise.race([worker.terminate(), sleep(KILLED_WITHIN, undefined, { ref: false })]);
      await releaseLock(settings.dir).catch(() => {});
    },
  };
}

/** What the library prints on a failure may have the request in it. */
function withoutSecrets(text: string): string {
  const key = process.env.WANDB_API_KEY;
  const plain = text.replaceAll(/Basic [A-Za-z0-9+/=]+/g, "[redacted]");
  return key ? plain.replaceAll(key, "[redacted]") : plain;
}
