import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { type Fault, startWandbServer, type Target, type WandbServer } from "../../../tests/support/wandbServer.ts";
import type { EndStatus, MetricsRow, TrainRow, ValRow } from "../../train/events.ts";
import { describeEnvironment } from "../environment.ts";
import { openMetricsFile, readMetrics } from "../metricsFile.ts";
import type { Tracker } from "../tracker.ts";
import { runIdentity } from "./identity.ts";
import { historyRows } from "./rows.ts";
import type { Timing } from "./timing.ts";
import { openWandb, type WandbSettings } from "./tracker.ts";

const KEY = "0123456789abcdef0123456789abcdef01234567";
const FAST: Timing = {
  ...{ request: 400, firstDelay: 20, longestDelay: 100, tellAfter: 300, giveUpAfter: 60_000, probeEvery: 200 },
  ...{ closeWithin: 5000, longestRetryAfter: 1000, lookEvery: 10, sendEvery: 40, sampleEvery: 60_000 },
};

const folders: string[] = [];
const servers: WandbServer[] = [];
afterAll(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

const train = (step: number): TrainRow => ({
  ...{ step, epoch: Math.floor((step - 1) / 5), split: "train", loss: 10 / step, class_error: 50, grad_norm: 1 },
  ...{ lr: 1e-4, lr_encoder: 1e-5, images_per_second: 3, data_wait: 0 },
});
const evaluation = (step: number, ap = step / 100): ValRow => ({
  ...{ step, epoch: Math.floor((step - 1) / 5), split: "val", "AP50:95": ap, AP50: 0.5, AP75: null, AR: 0.3 },
  per_class: { tree: ap },
});

/** Rows of a run with an evaluation after every fifth step. */
function* rowsOf(from: number, to: number): Generator<MetricsRow> {
  for (let step = from; step <= to; step++) {
    yield train(step);
    if (step % 5 === 0) yield evaluation(step);
  }
}

type Scene = {
  server: WandbServer;
  dir: string;
  id: string;
  notices: { message: string; level: string }[];
  /** Open the run (again), its metrics cut back to `step`. */
  open(options?: { step?: number; wandb?: Partial<WandbSettings>; timing?: Partial<Timing> }): Promise<{
    tracker: Tracker;
    add(rows: Iterable<MetricsRow>): Promise<void>;
    close(status?: EndStatus | "failed"): Promise<void>;
  }>;
};

async function scene({ key = KEY }: { key?: string } = {}): Promise<Scene> {
  const dir = await mkdtemp(join(tmpdir(), "wandb-"));
  folders.push(dir);
  const server = await startWandbServer({ key });
  servers.push(server);
  const { id } = await runIdentity(dir);
  const notices: Scene["notices"] = [];
  const environment = await describeEnvironment(
    { tfjs: "4.22.0", libtensorflow: "2.21.0", device: "cpu" },
    { fingerprint: "f" },
  );
  return {
    ...{ server, dir, id, notices },
    open: async ({ step = 0, wandb = {}, timing = {} } = {}) => {
      const metrics = await openMetricsFile(join(dir, "metrics.jsonl"), { throughStep: step });
      process.env.WANDB_BASE_URL = `${server.url}/`; // threads copy it when they start
      process.env.WANDB_API_KEY = KEY;
      const tracker = openWandb(
        {
          ...{ dir, step, name: "trees", recipe: { seed: 7, model: { variant: "nano" } }, environment },
          wandb: { project: "forest", entity: null, mode: "online", ...wandb },
          onNotice: (message, level) => notices.push({ message, level }),
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

const until = async (condition: () => boolean, what: string) => {
  for (const began = performance.now(); !condition(); await sleep(10))
    if (performance.now() - began > 10_000) throw new Error(`waited in vain for ${what}`);
};

/** The server's rows without what the library adds, against the file's. */
async function expectWhole({ server, dir, id }: Scene): Promise<void> {
  const history = server.history(id).map(({ _runtime, _timestamp, ...row }) => row);
  expect(history).toEqual(historyRows(await readMetrics(join(dir, "metrics.jsonl"))));
  expect(server.state.changedLines).toEqual([]);
}

const waits = ({ notices }: Scene) => notices.filter(({ message }) => message.includes("waits to be sent to W&B"));

it("a run arrives whole: rows in order, configuration, summary with the best AP, and its end", async () => {
  const one = await scene();
  const { server, id, notices } = one;
  const run = await one.open();
  await run.add(rowsOf(1, 12));
  await run.close();
  await expectWhole(one);
  const { files, config, ...rest } = server.state.runs[id]!;
  expect(rest).toEqual({
    ...{ id, entity: "test-entity", project: "forest", displayName: "trees" },
    ...{ complete: true, exitCode: 0, upserts: 1 },
  });
  expect(JSON.parse(config!)).toMatchObject({
    seed: { value: 7 },
    model: { value: { variant: "nano" } },
    environment: { value: { device: "cpu" } },
  });
  const summary = JSON.parse(files["wandb-summary.json"]![0]!);
  expect(summary).toMatchObject({ "best/AP50:95": 0.1, "best/step": 10, "train/loss": 10 / 12, _step: 12 });
  expect(summary._runtime).toBeGreaterThan(0);
  expect(notices).toEqual([
    { message: `W&B: ${server.url}/test-entity/forest/runs/${id}`, level: "info" },
    { message: `W&B has the whole run: ${server.url}/test-entity/forest/runs/${id}`, level: "info" },
  ]);
});

type Case = { name: string; fault: Fault; times: number };
/** Faults that pass by themselves. */
const PASSING: Case[] = [
  { name: "500", fault: { kind: "status", status: 500 }, times: 4 },
  { name: "429 with Retry-After", fault: { kind: "status", status: 429, retryAfter: "1" }, times: 2 },
  { name: "a connection that breaks before", fault: { kind: "drop" }, times: 4 },
  { name: "a connection that breaks after the request was acted on", fault: { kind: "drop", acted: true }, times: 4 },
  { name: "no answer", fault: { kind: "hang" }, times: 3 },
  { name: "slow answers", fault: { kind: "slow", ms: 150 }, times: Number.POSITIVE_INFINITY },
  { name: "answers that come too late", fault: { kind: "slow", ms: 700 }, times: 3 },
];
const MOMENTS: { name: string; target: Target }[] = [
  { name: "at the start", target: "graphql" },
  { name: "in the middle", target: "rows" },
  { name: "at the end", target: "finish" },
];

describe.concurrent("no row is lost and none comes twice", () => {
  for (const { name, fault, times } of PASSING)
    for (const moment of MOMENTS)
      it(`with ${name} ${moment.name}`, async () => {
        const one = await scene();
        const { server, id } = one;
        if (moment.target === "graphql") server.fail(fault, { target: "graphql", times });
        const run = await one.open();
        await run.add(rowsOf(1, 7));
        if (moment.target === "rows") {
          await until(() => (server.state.runs[id]?.files["wandb-history.jsonl"]?.length ?? 0) >= 5, "the first rows");
          server.fail(fault, { target: "rows", times });
        }
        await run.add(rowsOf(8, 20));
        if (moment.target === "rows") await until(() => server.requests.at(-1)?.target === "rows", "the fault");
        if (moment.target === "finish") server.fail(fault, { target: "finish", times });
        await run.close();
        await expectWhole(one);
        expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0 });
        expect(waits(one)).toEqual([]);
      });

  for (const moment of MOMENTS)
    it(`with a server that restarts ${moment.name}`, async () => {
      const one = await scene();
      const { id } = one;
      const restart = async () => {
        await one.server.stop();
        await sleep(300);
        one.server = await startWandbServer({ port: one.server.port, state: one.server.state, key: KEY });
        servers.push(one.server);
      };
      let restarted = moment.target === "graphql" ? restart() : undefined;
      const run = await one.open();
      await run.add(rowsOf(1, 7));
      if (moment.target === "rows") {
        await until(
          () => (one.server.state.runs[id]?.files["wandb-history.jsonl"]?.length ?? 0) >= 5,
          "the first rows",
        );
        restarted = restart();
      }
      await run.add(rowsOf(8, 20));
      const closed = run.close();
      if (moment.target === "finish") restarted = restart();
      await Promise.all([closed, restarted]);
      await expectWhole(one);
      expect(one.server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0 });
      expect(waits(one)).toEqual([]);
    });
});

describe.concurrent("a run that cannot be sent says that it waits, training goes on, and what the server has is right", () => {
  const lasting: Fault[] = [
    { kind: "status", status: 500 },
    { kind: "status", status: 401 },
    { kind: "drop" },
    { kind: "hang" },
  ];
  for (const fault of lasting)
    for (const moment of MOMENTS)
      it(`with ${fault.kind === "status" ? fault.status : fault.kind} ${moment.name} for good`, async () => {
        const one = await scene();
        const { server, dir, id, notices } = one;
        if (moment.target === "graphql") server.fail(fault);
        const run = await one.open({ timing: { closeWithin: 1500 } });
        await run.add(rowsOf(1, 7));
        if (moment.target === "rows") {
          await until(() => (server.state.runs[id]?.files["wandb-history.jsonl"]?.length ?? 0) >= 5, "the first rows");
          server.fail(fault);
        }
        await run.add(rowsOf(8, 12));
        if (moment.target === "finish") server.fail(fault, { target: "finish" });
        const began = performance.now();
        await run.close();
        expect(performance.now() - began).toBeLessThan(4000);
        expect(waits(one)).toEqual([
          { message: `This run waits to be sent to W&B. Send it with: rfdetr-train sync ${dir}`, level: "warn" },
        ]);
        if (fault.kind === "status" && fault.status === 401)
          expect(notices.map(({ message }) => message)).toContain(
            "W&B does not let this program in: the API key is not valid. Set the environment variable WANDB_API_KEY, or run: wandb login. Training goes on.",
          );
        const all = historyRows(await readMetrics(join(dir, "metrics.jsonl")));
        const there = server.state.runs[id] ? server.history(id).map(({ _runtime, _timestamp, ...row }) => row) : [];
        expect(there).toEqual(all.slice(0, there.length));
        expect(server.state.runs[id]?.complete ?? false).toBe(false);
        // and when the server is well again, the same run goes on
        server.fail(undefined);
        const again = await one.open({ step: 12 });
        await again.close();
        await expectWhole(one);
        expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0 });
      });
});
