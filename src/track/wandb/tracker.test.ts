import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import {
  evaluation,
  expectWhole,
  FAST,
  KEY,
  rowsAt,
  rowsOf,
  scene,
  sentRows,
  train,
  until,
  waits,
} from "../../../tests/support/wandbRun.ts";

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

it("a run that goes on is the same run: what the server has is not sent again", async () => {
  const one = await scene();
  const { server, id, notices } = one;
  const first = await one.open();
  await first.add(rowsOf(1, 8));
  await first.close("interrupted");
  expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 3 });
  const second = await one.open({ step: 8 });
  await second.add(rowsOf(9, 12));
  await second.close();
  await expectWhole(one);
  expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0, upserts: 2 });
  const runtimes = server.history(id).map(({ _runtime }) => Number(_runtime));
  expect(runtimes).toEqual([...runtimes].sort((a, b) => a - b)); // time goes on, too
  expect(waits(one)).toEqual([]);
  expect(notices.map(({ message }) => message).join("\n")).not.toContain(KEY);
});

it("a row that arrives late bears the time at which it was written", async () => {
  const one = await scene();
  const began = Date.now() - 3_600_000;
  const log = { time: new Date(began).toISOString(), level: 30, msg: "started" };
  await writeFile(join(one.dir, "log.jsonl"), `${JSON.stringify(log)}\n`);
  const timed = [...rowsOf(1, 10)].map((row) => ({ ...row, time: new Date(began + 1500 * row.step).toISOString() }));
  const run = await one.open();
  await run.add(timed);
  await run.close();
  const times = one.server.history(one.id).map(({ _timestamp, _runtime }) => [_timestamp, _runtime]);
  expect(times).toHaveLength(10);
  for (const [i, [timestamp, runtime]] of times.entries()) {
    expect(timestamp).toBeCloseTo((began + 1500 * (i + 1)) / 1000, 3);
    expect(runtime).toBeCloseTo(1.5 * (i + 1), 3);
  }
});

it("steps that are done again after a crash are not sent again", async () => {
  const one = await scene();
  const { notices } = one;
  const first = await one.open();
  await first.add(rowsOf(1, 10));
  await until(() => rowsAt(one) >= 9, "the rows"); // step 10 may get more
  await first.close("failed");
  expect(one.server.state.runs[one.id]).toMatchObject({ complete: true, exitCode: 1 });
  const second = await one.open({ step: 4 });
  await second.add(rowsOf(5, 14));
  await second.close();
  await expectWhole(one);
  expect(notices.map(({ message }) => message)).toContain(
    "W&B has this run up to step 10 already. Those steps are not sent again.",
  );
});

it("a run that is stopped before an epoch's evaluation gets it into the same row when it goes on", async () => {
  const one = await scene();
  const first = await one.open();
  await first.add([train(4), train(5)]);
  await first.close("interrupted");
  expect(sentRows(one).map(({ _step }) => _step)).toEqual([4]);
  const second = await one.open({ step: 5 });
  await second.add([evaluation(5), train(6), train(7), evaluation(7)]);
  await second.close();
  await expectWhole(one);
  expect(sentRows(one)[1]).toMatchObject({ _step: 5, "train/loss": 2, "val/AP50:95": 0.05 });
});

it("an evaluation that comes after its row was sent is written into that row", async () => {
  const one = await scene();
  const first = await one.open();
  await first.add([train(4), train(5)]);
  await first.close("failed"); // nothing says that it will go on
  expect(sentRows(one).map(({ _step }) => _step)).toEqual([4, 5]);
  const second = await one.open({ step: 5 });
  await second.add([evaluation(5), train(6), evaluation(6)]);
  await second.close();
  expect(sentRows(one).map(({ _step }) => _step)).toEqual([4, 5, 6]);
  expect(sentRows(one)[1]).toMatchObject({ "train/loss": 2, "val/AP50:95": 0.05 });
  expect(one.server.state.changedLines).toEqual([`${one.id}:1`]);
});

it("pictures and histograms of a step are in its row, and the pictures' bytes arrive though uploads fail at first", async () => {
  const one = await scene();
  const { server, dir, id } = one;
  server.fail({ kind: "status", status: 503 }, { target: "put", times: 2 });
  const run = await one.open();
  await run.add([train(1), evaluation(1)]);
  const data = Buffer.from("not really a picture");
  const sha = createHash("sha256").update(data).digest("hex");
  const picture = { name: "worst/1 ä", caption: "a.jpg", format: "jpeg", data, width: 20, height: 10 } as const;
  run.tracker.pictures({ step: 1, epoch: 0 }, [picture]);
  const histogram = { min: -1, max: 2, num: 3, sum: 1, sumSquares: 5, limits: [0, 1, 2], counts: [1, 0, 2] };
  run.tracker.histograms({ step: 1 }, new Map([["heads.weight", histogram]]));
  await run.add(rowsOf(2, 6));
  await run.close();
  const path = `media/images/val_worst_1__1_${sha.slice(0, 20)}.jpg`;
  const [first, ...rest] = sentRows(one);
  expect(first).toMatchObject({
    "train/loss": 10,
    "val/worst/1 ä": {
      _type: "image-file",
      path,
      sha256: sha,
      size: 20,
      format: "jpeg",
      width: 20,
      height: 10,
      caption: "a.jpg",
    },
    "gradients/heads.weight": { _type: "histogram", bins: [-1, 0, 1, 2], values: [1, 0, 2] },
  });
  expect(Object.keys(rest[0]!).filter((key) => key.startsWith("gradients/") || key.startsWith("val/w"))).toEqual([]);
  expect(server.state.uploads[`${id}/${path}`]).toEqual(data);
  const puts = server.requests.filter(({ target }) => target === "put");
  expect(puts.map(({ authorization }) => authorization)).toEqual(["", "", ""]); // the address is another server's
  expect(await readFile(join(dir, "wandb", "pictures.jsonl"), "utf8")).toContain(`{"sent":"${path}"}`);
  // A run that goes on does not upload them again, and a torn index hurts nothing.
  await appendFile(join(dir, "wandb", "pictures.jsonl"), '{"step":1,"key":"val/');
  const again = await one.open({ step: 6 });
  await again.close();
  expect(server.requests.filter(({ target }) => target === "put")).toHaveLength(3);
});

it("pictures whose upload fails for good are named and stay for a later sync", async () => {
  const one = await scene();
  one.server.fail({ kind: "status", status: 403 }, { target: "put" });
  const run = await one.open();
  await run.add([train(1), evaluation(1)]);
  const data = Buffer.from("x");
  run.tracker.pictures({ step: 1, epoch: 0 }, [{ name: "a", caption: "", format: "png", data, width: 1, height: 1 }]);
  await run.close();
  await until(() => waits(one).length > 0, "the notice");
  expect(one.notices.map(({ message }) => message)).toContain("Pictures that could not be sent to W&B: 1.");
  one.server.fail(undefined);
  const again = await one.open({ step: 1 });
  await again.close();
  expect(Object.values(one.server.state.uploads)).toEqual([data]);
});

it("the machine's load is sampled, and samples of a run that goes on follow the earlier ones", async () => {
  const one = await scene();
  const samples = () => one.server.state.runs[one.id]?.files["wandb-events.jsonl"] ?? [];
  for (const step of [0, 3]) {
    const count = samples().length;
    const run = await one.open({ step, timing: { sampleEvery: 50 } });
    await run.add(rowsOf(step + 1, step + 3));
    await until(() => samples().length > count + 1, "samples");
    await run.close("interrupted");
  }
  expect(samples()).not.toContain(undefined);
  const parsed = Array.from(samples(), (line) => JSON.parse(line!) as Record<string, number>);
  for (const sample of parsed) {
    expect(sample["system.cpu"]).toBeGreaterThanOrEqual(0);
    expect(sample["system.proc.memory.rssMB"]).toBeGreaterThan(10);
  }
  expect(new Set(parsed.map(({ _timestamp }) => _timestamp)).size).toBe(parsed.length); // none was overwritten
});

it("offline nothing is asked of the server; pictures are kept, and the run says how it is sent", async () => {
  const one = await scene();
  const run = await one.open({ wandb: { mode: "offline" } });
  await run.add([train(1), evaluation(1)]);
  const data = Buffer.from("x");
  run.tracker.pictures({ step: 1, epoch: 0 }, [{ name: "a", caption: "", format: "png", data, width: 1, height: 1 }]);
  await run.close();
  expect(one.server.requests).toEqual([]);
  expect(one.notices).toEqual([
    { message: `This run waits to be sent to W&B. Send it with: rfdetr-train sync ${one.dir}`, level: "info" },
  ]);
  expect(await readFile(join(one.dir, "wandb", "pictures.jsonl"), "utf8")).toContain('"key":"val/a"');
});

it("WANDB_MODE overrides the recipe: offline asks nothing of the server, disabled says nothing either", async () => {
  onTestFinished(() => void delete process.env.WANDB_MODE);
  for (const mode of ["offline", "disabled"]) {
    const one = await scene();
    process.env.WANDB_MODE = mode;
    const run = await one.open();
    await run.add(rowsOf(1, 3));
    await run.close();
    expect(one.server.requests).toEqual([]);
    expect(waits(one)).toHaveLength(mode === "offline" ? 1 : 0);
    expect(existsSync(join(one.dir, "wandb"))).toBe(false);
  }
});

it("a server that is silent for a while is named once, and once more when it answers", async () => {
  const one = await scene();
  one.server.fail({ kind: "status", status: 500 });
  const run = await one.open();
  await run.add(rowsOf(1, 3));
  await until(() => one.notices.length > 0, "the warning");
  one.server.fail(undefined);
  await until(() => one.notices.length > 1, "the other message");
  await run.close();
  expect(one.notices.slice(0, 2)).toEqual([
    {
      message: `W&B has not answered for 0 s (HTTP 500: injected). Training goes on; what is missing there is sent when it answers, or by: rfdetr-train sync ${one.dir}`,
      level: "warn",
    },
    { message: "W&B answers again.", level: "info" },
  ]);
  await expectWhole(one);
});

it("the end of a run does not wait for a server that has been silent", async () => {
  const one = await scene();
  one.server.fail({ kind: "hang" });
  const run = await one.open({ timing: { closeSilentWithin: 100 } });
  await run.add(rowsOf(1, 3));
  await until(() => one.notices.length > 0, "the warning");
  const began = performance.now();
  await run.close();
  expect(performance.now() - began).toBeLessThan(FAST.closeWithin / 2); // far from either: 0.1 s of waiting, or 20
  expect(waits(one)).toHaveLength(1);
});

it("the process gets no listeners for signals", async () => {
  const names = ["SIGINT", "SIGTERM", "beforeExit", "uncaughtException"] as const;
  const before = names.map((name) => process.listenerCount(name));
  const one = await scene();
  const run = await one.open();
  await run.add(rowsOf(1, 3));
  await until(() => rowsAt(one) > 0, "rows");
  expect(names.map((name) => process.listenerCount(name))).toEqual(before);
  await run.close();
});

it("a history under the run's id that is not this program's is left alone", async () => {
  const one = await scene();
  const run = { id: one.id, entity: "test-entity", project: "forest", complete: true, exitCode: 0, upserts: 1 };
  one.server.state.runs[one.id] = { ...run, files: { "wandb-history.jsonl": ['{"_step":0}', '{"_step":0}'] } };
  const tracked = await one.open();
  await tracked.add(rowsOf(1, 3));
  await tracked.close();
  expect(rowsAt(one)).toBe(2);
  expect(one.notices[0]!.message).toContain("has a history there that does not fit to this one");
  expect(waits(one)).toHaveLength(1);
});
