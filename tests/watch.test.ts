// `watch` as people have it: a page in a browser beside a run that really trains, and the command line.

import { type ChildProcess, spawn } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { formatRecipe } from "../src/recipe/load.ts";
import { inBrowser } from "./support/browser.ts";
import { writeLongRun } from "./support/longRun.ts";
import { tinyDataset, tinyRecipe } from "./support/tinyRun.ts";
import { ask, startWatching } from "./support/watching.ts";

const MAIN = ["--import", "tsx", "src/cli/main.ts"];
const children: ChildProcess[] = [];
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "watch-page-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(async () => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

type Program = { child: ChildProcess; out: () => string; errors: () => string; code: Promise<number | null> };

function start(...words: string[]): Program {
  const child = spawn(process.execPath, [...MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let [out, errors] = ["", ""];
  child.stdout!.on("data", (text) => (out += text));
  child.stderr!.on("data", (text) => (errors += text));
  return { child, out: () => out, errors: () => errors, code: new Promise((done) => child.once("close", done)) };
}

const waitFor = <Value>(check: () => Value | Promise<Value>) => vi.waitFor(check, { timeout: 60_000, interval: 100 });

test("the command prints the address on one line, says how the run goes, and ends with Ctrl-C", async () => {
  await writeLongRun(join(dir, "done"), { epochs: 2, images: 2 });
  for (const [words, url] of [
    [[], /^(http:\/\/127\.0\.0\.1:\d+\/)\n$/],
    [["--json"], /^\{"url":"(http:\/\/127\.0\.0\.1:\d+\/)","dir":"[^"]+"\}\n$/],
    [["--control"], /^(http:\/\/127\.0\.0\.1:\d+\/#control=[\w-]{32})\n$/],
  ] as const) {
    const program = start("watch", join(dir, "done"), ...words);
    const address = await waitFor(() => url.exec(program.out())![1]!);
    expect((await ask(Number(new URL(address).port), "/")).status).toBe(200);
    await waitFor(() => expect(program.errors()).toBe("long (done): done (epoch 2 of 2, step 240 of 240)\n"));
    program.child.kill("SIGINT");
    expect(await program.code).toBe(0);
    expect(program.out()).toMatch(url);
  }
}, 120_000);

test("a port that is none, and one that is taken, are told with exit code 2", async () => {
  const watching = await startWatching(join(dir, "done"));
  for (const [port, message] of [
    ["70000", "--port is 70000"],
    [String(watching.port), `Port ${watching.port} is used by another program`],
  ] as const) {
    const program = start("watch", join(dir, "done"), "--port", port);
    expect(await program.code).toBe(2);
    expect(program.errors()).toContain(message);
  }
  await watching.end();
}, 60_000);

inBrowser((page, another) => {
  const text = (selector: string) =>
    page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);

  test("a page that waits becomes that of a run, its curves grow without being read again, and it stops the run with a checkpoint", async () => {
    const run = join(dir, "trained");
    const program = start("watch", run, "--control");
    const url = await waitFor(() => /^(\S+)\n$/.exec(program.out())![1]!);
    await page.open(url);
    expect(await text("h1")).toContain("trained");
    const recipe = join(dir, "long.yaml");
    const changes = { train: { epochs: 500 }, checkpoint: { every_epochs: 100 } };
    await writeFile(recipe, formatRecipe(tinyRecipe(join(dir, "data"), changes)));
    const training = start("--recipe", recipe, "--run", run);
    await waitFor(async () => expect(await text("h1")).toBe("tiny (trained)"));
    expect(await page.evaluate("location.href")).not.toContain("control");
    await page.evaluate("window.marked = true");
    const steps = async () => Number((/step ([\d,]+) of/.exec(await text(".now"))?.[1] ?? "0").replace(",", ""));
    const points = () =>
      page.evaluate<string>(
        `document.querySelector('figure[data-chart="loss"] g[aria-label="line"] path')?.getAttribute("d") ?? ""`,
      );
    const first = await waitFor(async () => {
      const seen = { steps: await steps(), points: await points() };
      expect(seen.points.length).toBeGreaterThan(10);
      return seen;
    });
    await waitFor(async () => {
      expect(await steps()).toBeGreaterThan(first.steps);
      expect(await points()).not.toBe(first.points);
      expect(await text("[data-fixed=epoch]")).toMatch(/^epoch \d+, step \d+/);
    });
    expect(await text(".now")).toMatch(/(Running|Evaluating).*left/s);
    expect(await page.evaluate("window.marked")).toBe(true); // the page is the same one
    await page.evaluate("document.querySelector('button.stop').click()");
    expect(await text("button.stop")).toBe("Really stop it?");
    expect(training.child.exitCode).toBeNull();
    await page.evaluate("document.querySelector('button.stop').click()");
    await waitFor(async () => expect(await text(".live [role=status]")).toContain("with a checkpoint"));
    expect(await training.code).toBe(3);
    expect(training.out() + training.errors()).toContain("SIGTERM: stopping after this step");
    await waitFor(async () => expect(await text(".now")).toContain("Stopped, resumable"));
    expect((await readdir(join(run, "checkpoints"))).length).toBeGreaterThan(1);
    expect(page.complaints).toEqual([]);
    program.child.kill("SIGTERM");
    expect(await program.code).toBe(0);
    await waitFor(async () => expect(await text(".live [role=status]")).toContain("does not answer"));
  }, 240_000);

  test("without the token in its address a page has no button, and a page of another origin has nothing at all", async () => {
    const watching = await startWatching(join(dir, "done"), { control: true });
    const fresh = await another();
    await fresh.open(`${watching.url}/`);
    expect(await fresh.evaluate("document.querySelector('button.stop').hidden")).toBe(true);
    await fresh.open("data:text/html,<p>somewhere else");
    const got = await fresh.evaluate<string>(`Promise.all([
      fetch("${watching.url}/").then((r) => r.text(), String),
      fetch("${watching.url}/", { mode: "no-cors" }).then((r) => r.type + r.status, String),
      fetch("${watching.url}/stop", { method: "POST", headers: { "x-rfdetr-control": "${watching.token}" } }).then((r) => r.text(), String),
      new Promise((done) => { const s = new EventSource("${watching.url}/events"); s.onerror = () => done("refused"); s.onopen = () => done("open"); }),
    ]).then((all) => all.join(" | "))`);
    expect(got).toMatch(/^TypeError[^|]*\| (opaque0|TypeError[^|]*) \| TypeError[^|]*\| refused$/);
    await watching.end();
  });

  test("what a person unfolded, enlarged or moved stays while the page follows; charts under the pointer, too", async () => {
    const run = join(dir, "followed");
    await writeLongRun(run, { epochs: 6, images: 6 });
    const watching = await startWatching(run);
    await page.resize(1200, 900);
    await page.open(`${watching.url}/`);
    await page.evaluate(`(() => {
      document.querySelector("#recipe details").open = true;
      const slider = document.querySelector("#fixed [name=epoch]");
      slider.value = "1";
      slider.dispatchEvent(new Event("input"));
    })()`);
    const moved = await text("[data-fixed=epoch]");
    const fixed = join(run, "fixed-pictures.json");
    const record = JSON.parse(await readFile(fixed, "utf8")) as { evaluations: object[] };
    await writeFile(fixed, JSON.stringify({ ...record, evaluations: record.evaluations.slice(0, -1) }));
    await appendFile(
      join(run, "log.jsonl"),
      `${JSON.stringify({ level: 40, time: "2026-03-04T20:00:00.000Z", msg: "something new" })}\n`,
    );
    await waitFor(async () => expect(await text("#log")).toContain("Something new"));
    await waitFor(async () => expect(await text("#fixed > p")).toContain("4 evaluations"));
    expect(await page.evaluate("document.querySelector('#recipe details').open")).toBe(true);
    expect(await text("[data-fixed=epoch]")).toBe(moved);
    expect(await page.evaluate("document.querySelectorAll('#fixed figure').length")).toBe(6);
    expect(await page.evaluate("document.querySelectorAll('#log h2').length")).toBe(1);
    await watching.end();
  }, 120_000);

  test.each([390, 768, 1280])(
    "at %i pixels nothing scrolls sideways, of one run and of a folder of runs",
    async (width) => {
      await page.resize(width, 900);
      for (const place of [join(dir, "done"), dir]) {
        const watching = await startWatching(place);
        await page.open(`${watching.url}/`);
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
        await watching.end();
      }
    },
  );
});
