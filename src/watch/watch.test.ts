import { appendFile, cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { writeLongRun } from "../../tests/support/longRun.ts";
import { ask, followEvents, startWatching, type Watching } from "../../tests/support/watching.ts";
import { acquire } from "../util/threads/lock.ts";

let made: string;
let dir: string;
let watching: Watching | undefined;
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), "watched-"));
  await writeLongRun(join(made, "run"), { epochs: 8, images: 4 });
  return () => rm(made, { recursive: true, force: true });
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "watch-"));
});
afterEach(async () => {
  await watching?.end();
  watching = undefined;
  await rm(dir, { recursive: true, force: true });
});

const copyTo = (name: string) => cp(join(made, "run"), join(dir, name), { recursive: true });
const waitFor = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 50 });
const until = async (parts: readonly [string, unknown][], name: string) => {
  await waitFor(() => expect(parts.some(([one]) => one === name)).toBe(true));
  return parts.findLast(([one]) => one === name)![1];
};
/** A run that has begun again after its end, and is written by this process. */
async function goingOn(name: string): Promise<() => Promise<void>> {
  const line = { level: 30, time: new Date().toISOString(), pid: 1, step: 960, size: SIZE, msg: "resumed" };
  await appendFile(join(dir, name, "log.jsonl"), `${JSON.stringify(line)}\n`);
  const lock = await acquire(join(dir, name, "run.lock"));
  return lock.holder === undefined ? lock.release : async () => {};
}
const SIZE = { epochs: 16, stepsPerEpoch: 120, totalSteps: 1920 };
const step = (at: number) => `${JSON.stringify({ step: at, epoch: 8, split: "train", loss: 2.5, lr: 1e-4, images_per_second: 4, data_wait: 0, time: new Date().toISOString() })}\n`; // biome-ignore format: one line

test("a page is sent with all that the run has, a strict policy, and nothing that others could keep or embed", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"));
  const { status, headers, text } = await ask(watching.port, "/");
  expect(status).toBe(200);
  expect(text).toContain("Pictures over the run");
  expect(text).not.toContain("Stop with checkpoint");
  const policy = headers["content-security-policy"]!;
  expect(policy).toMatch(/^default-src 'none'; script-src ('sha256-[\w+/=]+' ?)+; /);
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(headers).toMatchObject({
    ...{ "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" },
    ...{ "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin" },
  });
  expect(headers["access-control-allow-origin"]).toBeUndefined();
});

test("rows, the log and pictures are pushed as they come, each once, and only what has changed", async () => {
  await copyTo("run");
  const release = await goingOn("run");
  watching = await startWatching(join(dir, "run"));
  const page = (await ask(watching.port, "/")).text;
  const from = /"live":\{"base":"","from":(\d+)\}/.exec(page)![1];
  const { parts } = await followEvents(watching.port, `/events?from=${from}`);
  await appendFile(join(dir, "run", "metrics.jsonl"), step(970));
  const train = (await until(parts, "run train")) as { step: number[] };
  expect(train.step.at(-1)).toBe(970);
  expect(await until(parts, "now")).toMatch(/Running.*epoch 9 of 16.*step 970 of 1,920/s);
  const names = () => parts.map(([name]) => name);
  expect(names().filter((name) => /browser|evaluation|fixed|recipe|pictures/.test(name))).toEqual([]);
  await rm(join(dir, "run", "fixed-pictures.json"));
  const layout = (await until(parts, "layout")) as [string, string][];
  expect(layout.map(([id]) => id)).not.toContain("fixed");
  await appendFile(join(dir, "run", "log.jsonl"), `${JSON.stringify({ level: 30, time: new Date().toISOString(), msg: "done", step: 970 })}\n`); // biome-ignore format: one line
  await release();
  await waitFor(() => expect(watching!.notes).toEqual(["long (run): it goes on (epoch 8 of 16, step 960 of 1,920)", "long (run): done (epoch 9 of 16, step 970 of 1,920)"])); // biome-ignore format: one line
  expect(await until(parts, "section log")).toContain("Done, at step 970");
});

test("a browser that comes back is told what it has missed, of another watcher, too", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"));
  const all = await followEvents(watching.port, "/events");
  await until(all.parts, "run train");
  await waitFor(() => expect(all.events).toContain("whole"));
  const now = await followEvents(watching.port, "/events?from=0", { "last-event-id": String(Number.MAX_SAFE_INTEGER) });
  const old = await followEvents(watching.port, "/events", { "last-event-id": String(Date.now() - 1e6) });
  await until(old.parts, "run train");
  expect(old.parts).toHaveLength(all.parts.length);
  expect(now.parts).toEqual([]);
});

test("a folder that is not there yet is waited for, and the page that waits is told to become another", async () => {
  watching = await startWatching(join(dir, "later"));
  const waiting = await ask(watching.port, "/");
  expect(waiting.text).toContain("There is no run here yet");
  const { events } = await followEvents(watching.port, "/events?from=0");
  await copyTo("later");
  await waitFor(() => expect(events).toContain("reload"));
  expect((await ask(watching.port, "/")).text).toContain("<h1>long (later)</h1>");
});

test("a folder of runs has a card for each; damaged ones, files and links are no runs", async () => {
  for (const name of ["one", "two <b>"]) await copyTo(name);
  await mkdir(join(dir, "empty"));
  await copyTo("broken");
  await writeFile(join(dir, "broken", "recipe.yaml"), "- no\n- recipe\n");
  await writeFile(join(dir, "recipe.txt"), "");
  const release = await goingOn("one");
  watching = await startWatching(dir);
  const { text } = await ask(watching.port, "/");
  expect(text.match(/class="card"/g)).toHaveLength(2);
  expect(text).toContain("two &lt;b&gt;");
  expect(text).toContain("1 goes on");
  const [first] = [...text.matchAll(/href="(\/runs\/[0-9a-f]{16}\/)"/g)].map(([, href]) => href!);
  const page = (await ask(watching.port, first!)).text;
  expect(page).toContain("<h1>long (one)</h1>"); // what goes on comes first
  expect(page).toContain("All runs");
  expect((await ask(watching.port, "/runs/0000000000000000/")).status).toBe(404);
  expect((await ask(watching.port, "/runs/0000000000000000/events")).status).toBe(404);
  const from = /"base":"\/runs\/[0-9a-f]{16}","from":(\d+)/.exec(page)![1];
  const { parts } = await followEvents(watching.port, `${first}events?from=${from}`);
  await appendFile(join(dir, "one", "metrics.jsonl"), step(970));
  await until(parts, "run train");
  await release();
});

test("foreign hosts and origins, other addresses and other methods get a status and not a byte more", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"), { control: true });
  const { port } = watching;
  for (const path of ["/", "/events", "/stop"])
    for (const headers of [
      { host: "evil.example" },
      { origin: "http://evil.example" },
      { "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[])
      for (const method of ["GET", "POST"])
        expect(await ask(port, path, { method, headers }), `${method} ${path}`).toMatchObject({
          status: 403,
          text: "",
        });
  for (const path of [
    "/run.lock",
    "/../run.lock",
    "/runs/../x",
    "/report.html",
    "/evaluation/960/objects.json",
    "/runs/",
  ])
    expect(await ask(port, path)).toMatchObject({ status: 404, text: "" });
  expect(await ask(port, "/", { method: "DELETE" })).toMatchObject({ status: 405, text: "" });
  expect((await ask(port, "/", { headers: { x: "y".repeat(20_000) } })).status).toBe(431);
});

test("without control nothing can be posted, whatever comes along", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"));
  const origin = watching.url;
  expect(watching.token).toBe("");
  for (const token of ["", "undefined", "null", "x".repeat(32)])
    expect(await ask(watching.port, "/stop", { method: "POST", headers: { origin, "x-rfdetr-control": token } })).toMatchObject({ status: 404, text: "" }); // biome-ignore format: one line
});

test("with control, whoever has the token may ask; a run that nobody writes is not stopped", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"), { control: true });
  const { port, token, url: origin } = watching;
  expect(token).toMatch(/^[\w-]{32}$/);
  expect((await ask(port, "/")).text).not.toContain(token);
  const stop = (headers: Record<string, string>) => ask(port, "/stop", { method: "POST", headers });
  expect((await stop({ origin })).status).toBe(403);
  expect((await stop({ origin, "x-rfdetr-control": `${token.slice(1)}x` })).status).toBe(403);
  expect((await stop({ "x-rfdetr-control": token })).status).toBe(403);
  const answer = await stop({ origin, "x-rfdetr-control": token });
  expect(JSON.parse(answer.text)).toEqual({ asked: false, message: "No process writes this run now." });
});

test("it listens on loopback alone, and a port that is taken is told", async () => {
  await copyTo("run");
  watching = await startWatching(join(dir, "run"));
  const { port } = watching;
  const others = Object.values(networkInterfaces()).flatMap((list) => list!.filter(({ internal }) => !internal));
  for (const host of [...others.map(({ address }) => address), "::1"]) {
    const outcome = await new Promise((done) => {
      const socket = connect({ host, port, timeout: 2000 });
      socket.once("connect", () => done("connected")).once("error", () => done("refused"));
      socket.once("timeout", () => done("silent"));
    });
    expect(outcome, host).not.toBe("connected");
  }
  await expect(startWatching(join(dir, "run", "recipe.yaml"))).rejects.toThrow("recipe.yaml is no folder");
  await expect(startWatching(dir, { port })).rejects.toThrow(`Port ${port} is used by another program`);
});

test("nothing in the run's folder is written, locked or touched", async () => {
  await copyTo("run");
  const state = async () => {
    const names = (await readdir(join(dir, "run"), { recursive: true })).sort();
    return Promise.all(names.map(async (name) => [name, (await stat(join(dir, "run", name))).mtimeMs]));
  };
  const before = await state();
  watching = await startWatching(join(dir, "run"));
  await ask(watching.port, "/");
  const { parts } = await followEvents(watching.port, "/events");
  await until(parts, "run train");
  await watching.end();
  watching = undefined;
  expect(await state()).toEqual(before);
});

test("browsers that take nothing hold no more than one sending, and there are only so many", async () => {
  await copyTo("run");
  await goingOn("run");
  watching = await startWatching(join(dir, "run"));
  const { port } = watching;
  const stuck = connect({ host: "127.0.0.1", port });
  stuck.pause().write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  for (let i = 1; i <= 3; i++) {
    await appendFile(join(dir, "run", "metrics.jsonl"), step(960 + i));
    await new Promise((done) => setTimeout(done, 2200));
  }
  const more = await Promise.all(Array.from({ length: 15 }, () => followEvents(port, "/events?from=0")));
  expect(more.map(({ status }) => status)).toEqual(Array(15).fill(200));
  expect(await ask(port, "/events")).toMatchObject({ status: 503, text: "" });
  more[0]!.close();
  await waitFor(async () => {
    const again = await followEvents(port, "/events");
    again.close();
    expect(again.status).toBe(200);
  });
  const read = await new Promise<string>((done) => {
    let text = "";
    stuck.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
      if (/"run train",.*963\]/.test(text)) done(text);
    });
    stuck.resume();
  });
  expect(read.match(/\["run train"/g)!.length).toBeLessThanOrEqual(3); // of five states
  stuck.destroy();
}, 60_000);

test("browsers that come all at once, before the first look, all follow the same run", async () => {
  await copyTo("run");
  await goingOn("run");
  watching = await startWatching(join(dir, "run"));
  const { port } = watching;
  const all = await Promise.all(Array.from({ length: 8 }, () => followEvents(port, "/events?from=0")));
  await appendFile(join(dir, "run", "metrics.jsonl"), step(970));
  await Promise.all([ask(port, "/"), ask(port, "/")]);
  await waitFor(() => {
    for (const { parts } of all) {
      const train = parts.findLast(([name]) => name === "run train")?.[1] as { step: number[] } | undefined;
      expect(train?.step.slice(-2)).toEqual([960, 970]);
    }
  });
});

test("it ends at once, also while browsers follow", async () => {
  await copyTo("run");
  const { port, end } = await startWatching(join(dir, "run"));
  const { ended } = await followEvents(port, "/events");
  const began = performance.now();
  await end();
  await ended;
  expect(performance.now() - began).toBeLessThan(1500);
  await expect(ask(port, "/")).rejects.toThrow("ECONNREFUSED");
});

test("names that are code stay text in all that is sent", async () => {
  const code = "</script><script>window.hacked = 1</script>";
  await writeLongRun(join(dir, "hostile"), { epochs: 2, images: 2, classes: [code, "b"] });
  await writeFile(join(dir, "hostile", "recipe.yaml"), `name: ${JSON.stringify(code)}\ndata: { dir: x }\n`);
  watching = await startWatching(join(dir, "hostile"));
  expect((await ask(watching.port, "/")).text).not.toContain(code);
  const { parts } = await followEvents(watching.port, "/events");
  await until(parts, "run train");
  for (const [name, value] of parts.filter(([one]) => /^(section|header|now)/.test(one)))
    expect(value, name).not.toContain("<script");
  expect(parts.find(([name]) => name === "title")![1]).toContain(code);
});
