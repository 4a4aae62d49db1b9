// A run that is shown at a W&B server on the loopback address, without training: its rows are made up.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect } from "vitest";
import { describeEnvironment } from "../../src/run/environment.ts";
import type { EndStatus, MetricsRow, TrainRow, ValRow } from "../../src/run/events.ts";
import { openMetricsFile, readMetrics } from "../../src/run/records/metricsFile.ts";
import type { Tracker } from "../../src/track/tracker.ts";
import type { WandbTiming } from "../../src/track/wandb/client/timing.ts";
import { runIdentity } from "../../src/track/wandb/folder/identity.ts";
import { historyRows } from "../../src/track/wandb/folder/rows.ts";
import { openWandb, type WandbSettings } from "../../src/track/wandb/tracker.ts";
import { startWandbServer, type WandbServer } from "./wandbServer.ts";

export const KEY = "0123456789abcdef0123456789abcdef01234567";
export const FAST: WandbTiming = {
  ...{
    request: 400,
    firstDelay: 20,
    longestDelay: 100,
    tellAfter: 300,
    giveUpAfter: 60_000,
    reachWithin: 60_000,
    probeEvery: 200,
  },
  ...{
    closeWithin: 20_000,
    closeSilentWithin: 20_000,
    longestRetryAfter: 1000,
    lookEvery: 10,
    sendEvery: 40,
    sampleEvery: 60_000,
  },
};

const folders: string[] = [];
export const servers: WandbServer[] = [];
afterAll(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

export const train = (step: number): TrainRow => ({
  ...{ step, epoch: Math.floor((step - 1) / 5), split: "train", loss: 10 / step, class_error: 50, grad_norm: 1 },
  ...{ lr: 1e-4, lr_encoder: 1e-5, images_per_second: 3, data_wait: 0 },
});
export const evaluation = (step: number, ap = step / 100): ValRow => ({
  ...{ step, epoch: Math.floor((step - 1) / 5), split: "val", "AP50:95": ap, AP50: 0.5, AP75: null, AR: 0.3 },
  per_class: { tree: ap },
});

/** Rows of a run with an evaluation after every fifth step. */
export function* rowsOf(from: number, to: number): Generator<MetricsRow> {
  for (let step = from; step <= to; step++) {
    yield train(step);
    if (step % 5 === 0) yield evaluation(step);
  }
}

export type Scene = {
  server: WandbServer;
  dir: string;
  id: string;
  notices: { message: string; level: string }[];
  /** Open the run (again), its metrics cut back to `step`. */
  open(options?: { step?: number; wandb?: Partial<WandbSettings>; timing?: Partial<WandbTiming> }): Promise<{
    tracker: Tracker;
    add(rows: Iterable<MetricsRow>): Promise<void>;
    close(status?: EndStatus | "failed"): Promise<void>;
  }>;
};

/** A run folder and a server of its own. */
export async function scene(): Promise<Scene> {
  const dir = await mkdtemp(join(tmpdir(), "wandb-"));
  folders.push(dir);
  const server = await startWandbServer({ key: KEY });
  servers.push(server);
  const { id } = await runIdentity(dir);
  const notices: Scene["notices"] = [];
  await writeFile(join(dir, "recipe.yaml"), "name: trees\nseed: 7\ntrack: { wandb: { project: forest } }\n");
  const environment = await describeEnvironment(
    { tfjs: "4.22.0", libtensorflow: "2.21.0", device: "cpu" },
    { fingerprint: "f" },
  );
  return {
    ...{ server, dir, id, notices },
    open: async ({ step = 0, wandb = {}, timing = {} } = {}) => {
      const metrics = await openMetricsFile(join(dir, "metrics.jsonl"), { throughStep: step });
      useServer(server);
      const tracker = openWandb(
        {
          ...{ dir, step, name: "trees", recipe: { seed: 7, model: { variant: "nano" } }, environment },
          wandb: { project: "forest", entity: null, mode: "online", ...wandb },
          onNotice: (message, level) => {
            if (level !== "debug") notices.push({ message, level });
          },
        },
        { ...FAST, ...timing },
      );
      return {
        tracker,
        add: async (rows) => {
          for (const row of rows) {
            await metrics.append(row);
            tracker.row(row);
          }
        },
        close: async (status = "done") => {
          await metrics.close();
          await tracker.close(status);
        },
      };
    },
  };
}

/** Wait for something, up to half a minute or `limit` milliseconds. */
export async function until(condition: () => boolean, what: string, limit = 30_000): Promise<void> {
  for (const began = performance.now(); !condition(); await sleep(10))
    if (performance.now() - began > limit) throw new Error(`waited in vain for ${what}`);
}

/** Have this server be W&B for the threads that start next: they copy the environment. */
export function useServer({ url }: Pick<WandbServer, "url">): void {
  process.env.WANDB_BASE_URL = `${url}/`;
  process.env.WANDB_API_KEY = KEY;
}

/** The server's rows without what the library adds, against the file's. */
export async function expectWhole({ server, dir, id }: Scene): Promise<void> {
  expect(sentRows({ server, id })).toEqual(historyRows(await readMetrics(join(dir, "metrics.jsonl"))));
  expect(server.state.changedLines).toEqual([]);
}

/** What was said about the run having to be sent later. */
export const waits = ({ notices }: Scene) =>
  notices.filter(({ message }) => message.includes("waits to be sent to W&B"));

/** The server's rows without the times that the library adds. */
export function sentRows({ server, id }: Pick<Scene, "server" | "id">): Record<string, unknown>[] {
  return server.history(id).map(({ _runtime, _timestamp, ...row }) => row);
}

/** How many rows the server has. */
export const rowsAt = ({ server, id }: Pick<Scene, "server" | "id">) =>
  server.state.runs[id]?.files["wandb-history.jsonl"]?.length ?? 0;
