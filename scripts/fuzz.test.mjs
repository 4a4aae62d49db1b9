// A few cases of the fuzzer, as a person would run it: they pass, and the same seed makes the same cases.

import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("fuzz.mjs", import.meta.url));

test("sixty changed files are each read or refused", { timeout: 120_000 }, () => {
  const keep = join(mkdtempSync(join(tmpdir(), "fuzz-test-")), "kept");
  const words = [
    "--import",
    "tsx",
    script,
    "--seed",
    "7",
    "--cases",
    "60",
    "--jobs",
    "1",
    "--commands",
    "1000",
    "--keep",
    keep,
  ];
  const { stdout, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect(stdout).toMatch(/^Seed 7, cases 0 to 59: \{"read":\d+,"refused":\d+,"failed":0,"unmade":0/m);
  expect(status).toBe(0);
});
