import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  expectWhole,
  KEY,
  rowsAt,
  rowsOf,
  scene,
  sentRows,
  servers,
  until,
  waits,
} from "../../../tests/support/wandbRun.ts";
import { type Fault, startWandbServer, type Target } from "../../../tests/support/wandbServer.ts";
import { readMetrics } from "../../run/records/metricsFile.ts";
import { historyRows } from "./folder/rows.ts";

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
          await until(() => rowsAt(one) >= 5, "the first rows");
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
        await until(() => rowsAt(one) >= 5, "the first rows");
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
        const refused = fault.kind === "status" && fault.status === 401;
        const run = await one.open({ timing: refused ? {} : { closeWithin: 1500 } }); // a refusal needs no deadline
        await run.add(rowsOf(1, 7));
        if (moment.target === "graphql") await until(() => server.requests.length > 0, "the first request");
        if (moment.target === "rows") {
          await until(() => rowsAt(one) >= 5, "the first rows");
          server.fail(fault);
        }
        await run.add(rowsOf(8, 12));
        if (moment.target === "finish") {
          await until(() => rowsAt(one) >= 11, "the rows");
          server.fail(fault, { target: "finish" });
        }
        await run.close();
        expect(waits(one)).toEqual([
          { message: `This run waits to be sent to W&B. Send it with: rfdetr-train sync ${dir}`, level: "warn" },
        ]);
        if (refused)
          expect(notices.map(({ message }) => message)).toContain(
            "W&B does not let this program in: the API key is not valid. Set the environment variable WANDB_API_KEY, or run: wandb login. Training goes on.",
          );
        const all = historyRows(await readMetrics(join(dir, "metrics.jsonl")));
        const there = sentRows(one);
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
