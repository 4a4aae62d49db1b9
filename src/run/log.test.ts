import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { gitCommit } from "../util/untrusted/git.ts";
import { describeEnvironment } from "./environment.ts";
import { openLog, redact } from "./log.ts";

it("a log line is on the disk at once and holds its fields", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const path = join(folder, "log.jsonl");
  const log = openLog(path);
  log.info("started", { run: "trees", WANDB_API_KEY: "abc", error: new Error("why") });
  const line = JSON.parse((await readFile(path, "utf8")).trim());
  expect(line).toMatchObject({
    level: 30,
    msg: "started",
    run: "trees",
    WANDB_API_KEY: "[redacted]",
    pid: process.pid,
  });
  expect(line.error.message).toBe("why");
  log.warn("again");
  log.close();
  openLog(path).close();
  expect((await readFile(path, "utf8")).trim().split("\n")).toHaveLength(2);
  await rm(folder, { recursive: true });
});

it("keys that look secret are redacted at any depth, others are not", () => {
  expect(redact({ a: [{ apiKey: 1 }], password: "x", "auth-token": 2, tokens: 3, key: 4 })).toEqual({
    a: [{ apiKey: "[redacted]" }],
    password: "[redacted]",
    "auth-token": "[redacted]",
    tokens: 3,
    key: 4,
  });
});

it("the environment names versions, machine and commit", async () => {
  const environment = await describeEnvironment(
    { tfjs: "4.22.0", libtensorflow: "2.21.0", device: "cpu" },
    { fingerprint: "f" },
  );
  expect(environment).toMatchObject({ node: process.versions.node, tfjs: "4.22.0", dataset: { fingerprint: "f" } });
  expect(environment.rfdetr_train).toMatch(/^\d+\.\d+\.\d+/);
  expect(environment.cpu.cores).toBeGreaterThan(0);
  expect(await gitCommit(tmpdir())).toBeNull();
});
