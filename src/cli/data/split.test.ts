import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { launch } from "../../../tests/support/launcher.ts";

const out = mkdtempSync(join(tmpdir(), "rfdetr-split-"));
afterAll(() => rmSync(out, { recursive: true }));
const trees = join(import.meta.dirname, "../../../datasets/trees");

test("data split says what is where and how a recipe names it", async () => {
  const { code, out: stdout } = await launch([
    "data",
    "split",
    "--data",
    trees,
    "--val",
    "0.3",
    "--no-near",
    "--out",
    out,
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^images +56 \(62\.9 %\) +24 \(27\.0 %\) +9 \(10\.1 %\)$/m); // 24 of the 80 that are not for the test
  expect(stdout).toMatch(/^tree +\d+ \(\d+\.\d %\) +\d+ \(2\d\.\d %\) +216 \(12\.1 %\)$/m);
  expect(stdout).toContain(
    `val: { images: ${JSON.stringify(trees)}, annotations: ${JSON.stringify(join(out, "val.json"))} }`,
  );
  const val = JSON.parse(await readFile(join(out, "val.json"), "utf8"));
  expect(val.images.length).toBeGreaterThan(20);
});

test("data without a command, and one that is not there, say so", async () => {
  const without = await launch(["data"]);
  expect(without.code).toBe(2);
  expect(without.err).toContain("data needs <command>.");
  const other = await launch(["data", "spilt"]);
  expect(other.code).toBe(2);
  expect(other.err).toContain(`Did you mean "data split"?`);
});
