import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../util/errors.ts";
import { embed, int, message, text, toBytes } from "../util/protobuf.ts";
import { INSTALL_ONNXRUNTIME, onnxruntimeVersion, openOnnx } from "./session.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-session-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** y = x + x for x: float32 [n, 3]. */
function doubling(): Uint8Array {
  const port = (name: string) => [
    text(1, name),
    embed(2, embed(1, int(1, 1), embed(2, embed(1, text(2, "n")), embed(1, int(1, 3))))),
  ];
  const node = embed(1, text(1, "x"), text(1, "x"), text(2, "y"), text(4, "Add"));
  return toBytes(
    message(
      int(1, 8),
      embed(7, node, text(2, "doubling"), embed(11, ...port("x")), embed(12, ...port("y"))),
      embed(8, text(1, ""), int(2, 17)),
    ),
  );
}

test("a file is opened and run, and says its ports", async () => {
  const path = join(folder, "doubling.onnx");
  await writeFile(path, doubling());
  const session = await openOnnx(path, { threads: 1 });
  expect(session).toMatchObject({
    inputs: [{ name: "x", type: "float32", shape: ["n", 3] }],
    outputs: [{ name: "y", type: "float32", shape: ["n", 3] }],
    threads: 1,
  });
  const { y } = await session.run({ x: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] } });
  expect([...y!.data]).toEqual([2, 4, 6, 8, 10, 12]);
  expect(y!.shape).toEqual([2, 3]);
  await session.close();
});

test("a model that fails while it runs is named, with the reason", async () => {
  const path = join(folder, "failing.onnx");
  await writeFile(path, doubling());
  const session = await openOnnx(path, { threads: 1 });
  const failed = session.run({ x: { data: new Float32Array(4), shape: [2, 2] } });
  await expect(failed).rejects.toThrow(/failing\.onnx fails while it runs: .*invalid dimensions/);
  await expect(failed).rejects.toBeInstanceOf(UserError);
  await session.close();
});

test("a file that is not there is named", async () => {
  await expect(openOnnx(join(folder, "none.onnx"))).rejects.toThrow(/Cannot read .*none\.onnx: no such file/);
});

test.each([
  ["random bytes", Buffer.from("This is a text and no model at all.")],
  ["nothing", Buffer.alloc(0)],
  ["half a model", Buffer.from(doubling()).subarray(0, 40)],
])("%s in place of a model is refused with the file's name", async (_, content) => {
  const path = join(folder, "broken.onnx");
  await writeFile(path, content);
  await expect(openOnnx(path)).rejects.toThrow(/broken\.onnx is no ONNX model that can be run/);
});

test("the version in the hint is that of package.json", async () => {
  const { optionalDependencies } = JSON.parse(
    await readFile(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
  );
  expect(INSTALL_ONNXRUNTIME.split("@")[1]).toBe(optionalDependencies["onnxruntime-node"]);
  expect(onnxruntimeVersion()).toBe(optionalDependencies["onnxruntime-node"]);
});

describe("nothing is queued for the maker of onnxruntime", () => {
  const session = JSON.stringify(join(import.meta.dirname, "session.ts"));
  const file = () => JSON.stringify(join(folder, "quiet.onnx"));
  const use = (address: string) =>
    `import(${address}).then(async ({ openOnnx }) => { await (await openOnnx(${file()})).close(); console.log("used"); })`;

  /**
   * Run a script as a user with a home of his own; what it printed, and what it left in that home. Nothing else of the
   * environment is passed on: onnxruntime is quiet by itself where a variable says that it runs in a CI.
   */
  async function inFreshHome(script: string, env: NodeJS.ProcessEnv = {}) {
    await writeFile(join(folder, "quiet.onnx"), doubling());
    const home = await mkdtemp(join(folder, "home-"));
    const cache = join(home, ".cache");
    await mkdir(cache);
    const own = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: cache, TSX_DISABLE_CACHE: "1", ...env };
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), "-e", script], {
      env: own,
      encoding: "utf8",
    });
    return { said: stdout.trim() || stderr, left: (await readdir(home, { recursive: true })).sort() };
  }

  test("in a process", async () => {
    expect(await inFreshHome(use(session))).toEqual({ said: "used", left: [".cache"] });
  });

  test("in the process that tries a file", async () => {
    const trial = JSON.stringify(join(import.meta.dirname, "trial.ts"));
    const options = "{ counts: [2], feeds: (_, count) => ({ x: [count, 3] }) }";
    const script = `import(${trial}).then(({ tryOnnx }) => tryOnnx(${file()}, ${options})).then(() => console.log("used"))`;
    expect(await inFreshHome(script)).toEqual({ said: "used", left: [".cache"] });
  });

  test("in a thread that this program starts", async () => {
    await writeFile(join(folder, "opener.ts"), `${use(session)};\n`);
    const thread = JSON.stringify(join(import.meta.dirname, "..", "util", "threads", "thread.ts"));
    const from = JSON.stringify(pathToFileURL(join(import.meta.dirname, "x.ts")).href);
    const name = JSON.stringify(relative(import.meta.dirname, join(folder, "opener")));
    const script = `import(${thread}).then(({ startThread }) => startThread(${name}, ${from}))`;
    expect(await inFreshHome(script)).toEqual({ said: "used", left: [".cache"] });
  });

  test("a thread of somebody else's, in which it cannot be switched off, does not load it", async () => {
    const tsx = JSON.stringify(import.meta.resolve("tsx/esm/api"));
    const inThread = `import(${tsx}).then((tsx) => { tsx.register(); return ${use(session)}; }).catch((e) => console.log(e.message))`;
    const script = (options: string) =>
      `const w = require("node:worker_threads"); new w.Worker(${JSON.stringify(inThread)}, { eval: true, execArgv: []${options} })`;
    const refused = await inFreshHome(script(""));
    expect(refused).toEqual({ said: expect.stringMatching(/lacks ORT_DISABLE_TELEMETRY=1/), left: [".cache"] });
    expect(await inFreshHome(script(", env: w.SHARE_ENV"))).toEqual({ said: "used", left: [".cache"] });
    expect(await inFreshHome(script(""), { ORT_DISABLE_TELEMETRY: "1" })).toEqual({ said: "used", left: [".cache"] });
  });

  test("where it is not switched off, it is queued there: the tests above would see it", async () => {
    const loud = `const { InferenceSession } = require("onnxruntime-node"); InferenceSession.create(${file()}).then(() => console.log("used"))`;
    const { left } = await inFreshHome(loud);
    expect(left.length).toBeGreaterThan(1);
  });
});
