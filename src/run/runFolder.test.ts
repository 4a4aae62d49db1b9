import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeLongRun } from "../../tests/support/longRun.ts";
import { acquire } from "../util/threads/lock.ts";
import { readRunFolder } from "./runFolder.ts";

test("a run without an end runs where a process holds it, and has ended without a word where none does", async () => {
  const dir = await mkdtemp(join(tmpdir(), "run-folder-"));
  try {
    await writeLongRun(dir, { epochs: 1, images: 1 });
    expect((await readRunFolder(dir)).log.status).toBe("done");
    await appendFile(join(dir, "log.jsonl"), `${JSON.stringify({ level: 30, time: new Date(), msg: "resumed" })}\n`);
    expect((await readRunFolder(dir)).log.status).toBe("gone");
    const lock = await acquire(join(dir, "run.lock"));
    expect((await readRunFolder(dir)).log.status).toBe("running");
    if (lock.holder === undefined) await lock.release();
    expect((await readRunFolder(dir)).log.status).toBe("gone");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
