import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LAUNCHER } from "../../../tests/support/launcher.ts";
import { writeLongRun } from "../../../tests/support/longRun.ts";

const folder = mkdtempSync(join(tmpdir(), "rfdetr-compare-"));
const [a, b] = [join(folder, "a"), join(folder, "b")];

function cli(...words: string[]) {
  const run = spawnSync(process.execPath, [LAUNCHER, ...words], { encoding: "utf8" });
  return { code: run.status, out: run.stdout, error: run.stderr };
}

beforeAll(async () => {
  await writeLongRun(a, { epochs: 10, classes: ["heron", "stork"], images: 9 });
  await writeLongRun(b, { epochs: 12, classes: ["heron", "stork"], images: 2, seed: 8, recipe: { name: "second" } });
});
afterAll(() => rmSync(folder, { recursive: true }));

test("compare prints metrics, classes and recipe, and writes a page where it is told to", () => {
  const page = join(folder, "compare.html");
  const { code, out } = cli("compare", a, b, "--out", page);
  expect(code).toBe(0);
  expect(out).toMatch(/^AP50:95 +0\.\d{4} +0\.\d{4} +[+-]0\.\d{4}$/m);
  expect(out).toMatch(/^heron +0\.\d{4} +0\.\d{4} +[+-]0\.\d{4}$/m);
  expect(out).toMatch(/^train\.epochs +10 +12$/m);
  expect(out).toContain(`Wrote ${page}`);
  expect(readFileSync(page, "utf8")).toMatch(/^<!doctype html>/);
});

test("compare says how sure a change is where both have results by image, and else why not", () => {
  const { a: one, b: two } = JSON.parse(cli("compare", a, b, "--json").out);
  for (const [run, { best }, last] of [
    [a, one, 1200],
    [b, two, 1440],
  ] as const) // what was kept is of the last evaluation
    cpSync(join(run, "evaluation", String(last)), join(run, "evaluation", String(best.step)), { recursive: true });
  const copy = join(folder, "copy");
  cpSync(a, copy, { recursive: true });
  const same = cli("compare", a, copy).out;
  expect(same).toMatch(/^AP50:95 +0\.\d{4} +0\.\d{4} +\+0\.0000 ± 0\.0000 +no difference shown$/m);
  expect(same).toMatch(/^±: 95 % intervals, from the 9 validation images of both/m);
  expect(cli("compare", a, b).out).toMatch(/^How sure the changes are is not known: they were not evaluated on the same images\.$/m); // biome-ignore format: one line
  rmSync(join(copy, "evaluation"), { recursive: true });
  const { intervals, metrics } = JSON.parse(cli("compare", a, copy, "--json").out);
  expect(intervals.why).toContain("has no results by image of its best evaluation");
  expect(metrics[0]).not.toHaveProperty("half");
});

test("compare --json prints one object and nothing else", () => {
  const { code, out } = cli("compare", a, b, "--json");
  expect(code).toBe(0);
  const result = JSON.parse(out);
  expect(result).toMatchObject({ a: { name: "long", status: "done" }, b: { name: "second" }, caveats: [] });
  expect(result.metrics[0].change).toBeCloseTo(result.metrics[0].b - result.metrics[0].a, 12);
  expect(result.recipe[0]).toEqual({ key: "train.epochs", a: 10, b: 12 });
});

test("the name of a folder reaches the terminal with its control characters shown", () => {
  const odd = join(folder, "odd\u001b[2J");
  cpSync(a, odd, { recursive: true });
  const { code, out } = cli("report", odd);
  expect({ code, out }).toEqual({ code: 0, out: `Wrote ${join(folder, "odd\\x1b[2J", "report.html")}\n` });
});

test("report makes the page anew; a folder that is no run is told with exit code 2", () => {
  const page = join(a, "report.html");
  expect(existsSync(page)).toBe(false);
  expect(JSON.parse(cli("report", a, "--json").out)).toEqual({ run: a, report: page });
  expect(readFileSync(page, "utf8")).toContain("<h1>long (a)</h1>");
  for (const words of [
    ["report", folder],
    ["compare", a, folder],
  ]) {
    const { code, out, error } = cli(...words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(error).toContain("is no run");
  }
});
