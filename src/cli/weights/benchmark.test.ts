import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LAUNCHER } from "../../../tests/support/launcher.ts";
import { writeTinyOnnx } from "../../../tests/support/onnxFile.ts";
import type { Benchmark } from "../../bench/result.ts";
import { benchmarkTable } from "../terminal/benchmarkTable.ts";

const folder = mkdtempSync(join(tmpdir(), "rfdetr-benchmark-"));
const [onnx, other] = [join(folder, "a.onnx"), join(folder, "b.onnx")];
const PHOTO = "tests/fixtures/images/photo.jpg";

beforeAll(async () => {
  await writeTinyOnnx(onnx);
  await writeTinyOnnx(other, { seed: 12 });
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(...words: string[]) {
  const all = [LAUNCHER, "benchmark", ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  return { code: status, out: stdout, error: stderr };
}

const FEW = ["--images", PHOTO, "--rounds", "4", "--warm-up", "1", "--threads", "1"];

test("two files take turns: a table for people, and the result with its environment in a file", () => {
  const out = join(folder, "result", "benchmark.json");
  const ran = run("--weights", onnx, "--against", other, ...FEW, "--out", out);
  expect(ran).toMatchObject({ code: 0, error: expect.not.stringContaining("TensorFlow") });
  const result = JSON.parse(readFileSync(out, "utf8")) as Benchmark;
  expect(result.comparisons.map(({ prefetch }) => prefetch)).toEqual([false, true]);
  expect(result.environment).toMatchObject({ libtensorflow: null, onnxruntime: expect.any(String) });
  expect(`${benchmarkTable(result)}\n`).toBe(ran.out);
  expect(ran.out).toMatch(/^A +.*a\.onnx, 128 pixels, 5\.9 MB, onnxruntime 1\.30\.0 on cpu, ready in \d+\.\d\d s$/m);
  expect(ran.out).toMatch(/^batch 1, 1 thread, one stage after the other$/m);
  expect(ran.out).toMatch(/^ms a batch +p50 +p90 +p95 +p99 +mean +min +max$/m);
  expect(ran.out).toMatch(/^ {3} {2}forward( +\d+\.\d\d){7}$/m);
  expect(ran.out).toMatch(/^B takes \d\.\d{3} of A's time by the medians \(95 % interval \d\.\d{3} to \d\.\d{3}\): /m);
});

test("--json prints one object and nothing else", () => {
  const { code, out } = run("--weights", onnx, ...FEW, "--prefetch", "off", "--batch-size", "1", "3", "--json");
  expect(code).toBe(0);
  const { timings, subjects } = JSON.parse(out) as Benchmark;
  expect(subjects).toHaveLength(1);
  expect(timings.map(({ batch_size, prefetch }) => [batch_size, prefetch])).toEqual([
    [1, false],
    [3, false],
  ]);
});

test("a damaged or foreign file is named in one message, with exit code 2", () => {
  const broken = join(folder, "broken.onnx");
  writeFileSync(broken, readFileSync(onnx));
  truncateSync(broken, 100_000);
  const cases: [string[], string][] = [
    [["--weights", broken], "broken.onnx is no ONNX model"],
    [["--weights", PHOTO], "photo.jpg"],
    [["--weights", join(folder, "none.onnx")], "none.onnx"],
    [["--weights", onnx, "--rounds", "0"], "rounds is 0; it must be a whole number from 1."],
    [["--weights", onnx, "--weights", other], "--weights can be given once only."],
    [["--weights", onnx, "--agianst", other], "Did you mean --against?"],
  ];
  for (const [words, message] of cases) {
    const { code, out, error } = run(...words);
    expect({ words, code, out }).toEqual({ words, code: 2, out: "" });
    expect(error).toContain(message);
    expect(error).not.toMatch(/^\s+at /m);
  }
});
