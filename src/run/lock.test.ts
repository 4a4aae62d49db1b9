import { execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runFiles } from "./files.ts";
import { lockRun, refuseForeign } from "./lock.ts";

let dir: string;
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), "lock-")), "run");
});
afterEach(() => rm(join(dir, ".."), { recursive: true }));

/** As if another process had written the lock. */
async function heldBy(holder: object): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(runFiles(dir).lock, JSON.stringify(holder));
}

describe("a run's lock", () => {
  test("lets one in, names it to the next, and leaves nothing behind", async () => {
    const release = await lockRun(dir);
    await expect(lockRun(dir)).rejects.toThrow(`in use: another process (${process.pid}) is writing to it`);
    await release();
    expect(await readdir(dir)).toEqual([]);
    await (await lockRun(dir))();
  });

  test("of a process that is dead, or whose number another one has by now, counts for nothing", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((done) => child.on("close", done));
    const { hostname } = await import("node:os");
    for (const holder of [
      { pid: child.pid, began: "1" },
      { pid: process.pid, began: "1" },
    ]) {
      await heldBy({ ...holder, host: hostname() });
      await (await lockRun(dir))();
    }
    await heldBy([]); // cut off, or something else
    await (await lockRun(dir))();
  });

  test.runIf(process.platform !== "win32")("that is a pipe, or has no end, counts for nothing", async () => {
    await mkdir(dir, { recursive: true });
    execFileSync("mkfifo", [runFiles(dir).lock]);
    await (await lockRun(dir))();
    await symlink("/dev/zero", runFiles(dir).lock);
    await (await lockRun(dir))();
    expect(await readdir(dir)).toEqual([]);
  });

  test("that is a folder is not taken away, and named", async () => {
    await mkdir(runFiles(dir).lock, { recursive: true });
    await expect(lockRun(dir)).rejects.toThrow("run.lock is a folder, where the file of a lock belongs");
    expect(await readdir(dir)).toEqual(["run.lock"]);
  });

  test("of another machine holds as long as it is kept fresh", async () => {
    await heldBy({ pid: 4, began: "1", host: "far-away" });
    await expect(lockRun(dir)).rejects.toThrow("another process (4 on far-away) is writing to it");
    const old = new Date(Date.now() - 600_000);
    await utimes(runFiles(dir).lock, old, old);
    await (await lockRun(dir))();
  });

  test("goes to one of many that ask at once", async () => {
    await heldBy({ pid: 2 ** 22 + 1, began: "1", host: "" });
    const old = new Date(Date.now() - 600_000);
    await utimes(runFiles(dir).lock, old, old); // a stale one is there
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(dir)));
    expect(asked.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("a folder that is no run", () => {
  test.each([
    ["a file of a person's", { "notes.txt": "mine" }, "notes.txt"],
    ["a recipe that a person wrote there", { "recipe.yaml": "name: x" }, "recipe.yaml"],
    ["a folder evaluation with other files", { "evaluation/mine.txt": "mine" }, "evaluation"],
    ["a file beside those of a run", { "environment.json": '{"rfdetr_train":"1"}', "x.txt": "mine" }, "x.txt"],
  ])("is refused: %s", async (_, files, named) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(dir, name, ".."), { recursive: true });
      await writeFile(join(dir, name), text);
    }
    await expect(refuseForeign(dir)).rejects.toThrow(`holds files that are no run's, such as ${named}`);
  });

  test("is none where a run was stopped before its first checkpoint, or nothing is there", async () => {
    await expect(refuseForeign(dir)).resolves.toBeUndefined();
    await mkdir(dir);
    await writeFile(join(dir, "environment.json"), '{"rfdetr_train":"1"}');
    await writeFile(join(dir, "recipe.yaml"), "name: x");
    await writeFile(join(dir, "recipe.yaml.1a2b.tmp"), "na");
    await expect(refuseForeign(dir)).resolves.toBeUndefined();
  });
});
