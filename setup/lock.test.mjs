// The lock between processes.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withLock } from "./lock.mjs";

const here = dirname(fileURLToPath(import.meta.url));
let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rfdetr-lock-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("lock", () => {
  /** A process that takes the lock, says so, and holds it for a while. */
  const holder = (path, milliseconds) => {
    const code = `import { withLock } from ${JSON.stringify(join(here, "lock.mjs"))};
      await withLock(${JSON.stringify(path)}, async () => { console.log("held"); await new Promise((r) => setTimeout(r, ${milliseconds})); });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return { child, held: new Promise((done) => child.stdout.once("data", done)) };
  };

  test("a second process waits until the first is done", async () => {
    const path = join(folder, "lock");
    const { child, held } = holder(path, 700);
    await held;
    let waited;
    const order = [];
    child.once("exit", () => order.push("first ended"));
    await withLock(
      path,
      () => order.push("second works"),
      (owner) => (waited = owner),
    );
    expect(waited.pid).toBe(child.pid);
    await sleep(300);
    expect(order[0] === "second works" || order[0] === "first ended").toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  test("the lock of a killed process is taken over at once", async () => {
    const path = join(folder, "lock");
    const { child, held } = holder(path, 60_000);
    await held;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
    expect(existsSync(path)).toBe(true);
    const begin = Date.now();
    expect(await withLock(path, () => "mine")).toBe("mine");
    expect(Date.now() - begin).toBeLessThan(3000);
  });

  test("a lock of another host holds while it is kept fresh, and is stale after a minute", async () => {
    const path = join(folder, "lock");
    mkdirSync(path);
    writeFileSync(join(path, "owner.json"), JSON.stringify({ pid: 1, host: "another-host" }));
    const long = new Date(Date.now() - 120_000);
    utimesSync(path, long, long);
    expect(await withLock(path, () => "mine")).toBe("mine");
  });

  test("of many processes at once, one works at a time", async () => {
    const path = join(folder, "lock");
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(path, work)));
    expect(most).toBe(1);
  });

  test("an error inside frees the lock", async () => {
    const path = join(folder, "lock");
    await expect(withLock(path, () => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    expect(existsSync(path)).toBe(false);
  });
});
