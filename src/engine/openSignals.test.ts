// A thread that computes takes no signals: oneDNN's products for AVX-512 keep the stack pointer in memory of their own meanwhile, and a
// signal that came then damaged the heap.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownAddon } from "./ownAddon.ts";

const available = process.platform === "linux" && ownAddon() !== undefined;

/** A process that runs `code` with the engine loaded; `act` is called once it has printed "ready". */
async function engineProcess(code: string, act: (child: ReturnType<typeof spawn>) => void) {
  const engine = JSON.stringify(join(import.meta.dirname, "backend.ts"));
  const words = [
    "--import",
    "tsx",
    "--input-type=module",
    "-e",
    `import { loadBackend, rawOp } from ${engine};\n${code}`,
  ];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      if (!text.includes("ready") && (text + chunk).includes("ready")) act(child);
      text += chunk;
    });
  const [exit, signal] = await new Promise<[number | null, string | null]>((done) =>
    child.on("close", (...ended) => done(ended)),
  );
  return { exit, signal, text };
}

test.skipIf(!available)("thousands of signals during large products do no harm", async () => {
  let timer: NodeJS.Timeout | undefined;
  const { exit, signal, text } = await engineProcess(
    `import * as tf from "@tensorflow/tfjs-core";
    loadBackend();
    let heard = 0;
    process.on("SIGWINCH", () => heard++);
    const a = tf.sin(tf.range(0, 384 * 384)).reshape([384, 384]);
    const attributes = { T: { type: "float" }, transpose_a: false, transpose_b: false };
    console.log("ready");
    for (const end = Date.now() + 2500; Date.now() < end; await new Promise((done) => setImmediate(done)))
      for (let i = 0; i < 20; i++) rawOp("MatMul", attributes, [a, a]).dispose();
    console.log(heard > 20 ? "heard" : "deaf");`,
    (child) => {
      timer = setInterval(() => [1, 2, 3].forEach(() => void child.kill("SIGWINCH")), 1);
    },
  );
  clearInterval(timer);
  expect({ exit, signal, text }).toEqual({ exit: 0, signal: null, text: "ready\nheard\n" });
});

test.skipIf(!available)(
  "of the threads that the engine has started, none takes signals, and neither does the main thread",
  async () => {
    const { text } = await engineProcess(
      `import { readdirSync, readFileSync } from "node:fs";
    const blocked = () => new Map(readdirSync("/proc/self/task").map((id) => {
      const mask = BigInt("0x" + /SigBlk:\\s*(\\w+)/.exec(readFileSync("/proc/self/task/" + id + "/status", "utf8"))[1]);
      return [id, [2, 15, 1, 28, 17].every((signal) => mask & (1n << BigInt(signal - 1)))];
    }));
    const before = new Set(blocked().keys());
    loadBackend();
    rawOp("Sum", { T: { type: "float" }, Tidx: { type: "int32" }, keep_dims: false }, [
      (await import("@tensorflow/tfjs-core")).ones([512, 512]),
      (await import("@tensorflow/tfjs-core")).tensor1d([0, 1], "int32"),
    ]);
    const after = blocked();
    const open = [...after].filter(([id, all]) => !before.has(id) && !all).length;
    console.log("ready", after.get(String(process.pid)), after.size > before.size + 1, open);`,
      () => {},
    );
    expect(text).toBe("ready true true 1\n"); // the thread that takes them
  },
);
