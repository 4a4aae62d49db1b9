// The library in the cache, offline: fetched once, whole, and to the byte what is pinned.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { downloadWheel, pipEnvironment } from "./download.mjs";
import { findPython } from "./machine.mjs";
import { contentsSum, PINS, TENSORFLOW } from "./pins.mjs";
import { LIBRARY, zip } from "./testZip.mjs";

const here = dirname(fileURLToPath(import.meta.url));
let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rfdetr-library-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(process.platform === "linux")("the library in the cache", () => {
  const codeFor = () => `import { readFileSync } from "node:fs";
    import { runScript } from ${JSON.stringify(join(here, "main.mjs"))};
    import { libraryInCache } from ${JSON.stringify(join(here, "library.mjs"))};
    const pins = JSON.parse(readFileSync(${JSON.stringify(join(folder, "pins.json"))}, "utf8"));
    await runScript(async () => { console.log((await libraryInCache("cpu", { pins })).folder); });`;
  /** A python3 whose pip delivers a small wheel, and counts how often it is asked. */
  const fakePip = () => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    const delivered = join(folder, "delivered.whl");
    const parts = [
      "libtensorflow_cc.so.2",
      "libtensorflow_framework.so.2",
      "include/tensorflow/c/c_api.h",
      "python/unwanted.py",
    ];
    const hash = createHash("sha256").update(LIBRARY).digest("base64url");
    const record = parts.map((name) => `tensorflow/${name},sha256=${hash},${LIBRARY.length}`).join("\n");
    const files = Object.fromEntries(parts.map((name) => [`tensorflow/${name}`, { data: LIBRARY }]));
    files["tf.dist-info/METADATA"] = { data: Buffer.from("Name: tensorflow-cpu\n") };
    files["tf.dist-info/RECORD"] = { data: Buffer.from(record) };
    writeFileSync(delivered, zip(files));
    const bytes = readFileSync(delivered);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const wanted = parts.slice(0, 3).map((name) => [`tensorflow/${name}`, { sha256: hash, size: LIBRARY.length }]);
    const pin = { name: "tensorflow-cpu", version: "2.21.0", file: "x.whl", bytes: bytes.length, sha256 };
    const pins = { cpu: { contents: contentsSum(Object.fromEntries(wanted)), wheels: [pin] } };
    writeFileSync(join(folder, "pins.json"), JSON.stringify(pins));
    const script = `#!/bin/sh
case "$*" in *version_info*) echo 3.11.0;; *--version*) echo "pip 23.0 from x";;
*) echo asked >> ${folder}/asked; while [ "$1" != --dest ]; do shift; done; cp ${delivered} "$2/tensorflow_cpu-2.21.0-x.whl";; esac\n`;
    writeFileSync(join(bin, "python3"), script, { mode: 0o755 });
    const code = codeFor();
    return () =>
      spawnSync(process.execPath, ["--input-type=module", "-e", code], {
        encoding: "utf8",
        env: { PATH: `${bin}:/bin:/usr/bin`, RFDETR_CACHE: join(folder, "cache") },
      });
  };
  const place = () => join(folder, "cache", "engine", "tensorflow-cpu-2.21.0");
  const asked = () => readFileSync(join(folder, "asked"), "utf8").split("\n").length - 1;
  const isWhole = () =>
    ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", "include/tensorflow/c/c_api.h"].every((name) =>
      readFileSync(join(place(), "tensorflow", name)).equals(LIBRARY),
    );

  test("is fetched once, holds only what is needed, and leaves no download behind", () => {
    const fetch = fakePip();
    expect(fetch().stdout.trim()).toBe(join(place(), "tensorflow"));
    expect(isWhole()).toBe(true);
    expect(existsSync(join(place(), "tensorflow", "python"))).toBe(false);
    expect(readdirSync(join(folder, "cache", "engine"))).toEqual(["tensorflow-cpu-2.21.0"]);
    fetch();
    expect(asked()).toBe(1);
  });

  test("an unpacking that was cut off goes on, with the download that is there", () => {
    const fetch = fakePip();
    const engine = join(folder, "cache", "engine");
    mkdirSync(join(engine, "tensorflow-cpu-2.21.0.partial", "tensorflow"), { recursive: true });
    writeFileSync(join(engine, "tensorflow-cpu-2.21.0.partial", "tensorflow", "libtensorflow_cc.so.2"), "half");
    writeFileSync(join(engine, "tensorflow-cpu-2.21.0.partial", "tensorflow", "x.so.123.tmp"), "half");
    mkdirSync(join(engine, "tensorflow-cpu-2.21.0.download", "tensorflow-cpu"), { recursive: true });
    writeFileSync(
      join(engine, "tensorflow-cpu-2.21.0.download", "tensorflow-cpu", "tensorflow_cpu-2.21.0-x.whl"),
      readFileSync(join(folder, "delivered.whl")),
    );
    expect(fetch().status).toBe(0);
    expect(isWhole()).toBe(true);
    expect(readdirSync(join(place(), "tensorflow")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(existsSync(join(folder, "asked"))).toBe(false);
  });

  test("a file that was deleted, cut or changed is repaired", () => {
    const fetch = fakePip();
    fetch();
    const library = join(place(), "tensorflow", "libtensorflow_cc.so.2");
    rmSync(library);
    fetch();
    expect(isWhole()).toBe(true);
    writeFileSync(library, Buffer.alloc(LIBRARY.length));
    fetch();
    expect(isWhole()).toBe(true);
    writeFileSync(library, "cut");
    fetch();
    expect(isWhole()).toBe(true);
    expect(asked()).toBe(4);
  });

  test("a manifest whose sums are those of other files does not vouch for them", () => {
    const fetch = fakePip();
    fetch();
    const other = Buffer.from("another library");
    const sha256 = createHash("sha256").update(other).digest("base64url");
    const manifest = join(place(), "manifest.json");
    const made = JSON.parse(readFileSync(manifest, "utf8"));
    made.files["tensorflow/libtensorflow_cc.so.2"] = { sha256, size: other.length };
    for (const files of [made.files, {}, { "../x": { sha256, size: 1 } }]) {
      writeFileSync(manifest, JSON.stringify({ ...made, files }));
      writeFileSync(join(place(), "tensorflow", "libtensorflow_cc.so.2"), other);
      expect(fetch().status).toBe(0);
      expect(isWhole()).toBe(true);
    }
  });

  test("what lies in a download that was cut off has to be what is pinned, too", () => {
    const fetch = fakePip();
    const partial = join(folder, "cache", "engine", "tensorflow-cpu-2.21.0.partial");
    mkdirSync(join(partial, "done"), { recursive: true });
    const files = { "tensorflow/libtensorflow_cc.so.2": { sha256: "x".repeat(43), size: 1 } };
    writeFileSync(join(partial, "done", "tensorflow-cpu.json"), JSON.stringify({ files }));
    expect(fetch().status).toBe(0);
    expect(isWhole()).toBe(true);
  });

  test("another wheel than the pinned one is refused, wherever it lies", () => {
    const fetch = fakePip();
    writeFileSync(join(folder, "delivered.whl"), zip({ "tensorflow/libtensorflow_cc.so.2": { data: LIBRARY } }));
    const download = join(folder, "cache", "engine", "tensorflow-cpu-2.21.0.download", "tensorflow-cpu");
    mkdirSync(download, { recursive: true });
    writeFileSync(join(download, "x.whl"), readFileSync(join(folder, "delivered.whl")));
    const { status, stderr } = fetch();
    expect(status).toBe(2);
    expect(stderr).toMatch(/is not the wheel of \d+ bytes that this program was made with.*fetching it again/);
    expect(stderr).toMatch(/downloaded twice/);
    expect(stderr).not.toMatch(/ at .*\.mjs:\d/);
    expect(existsSync(place())).toBe(false);
  });

  test("a folder that others can write to, or that is somebody else's, is not used", () => {
    const fetch = fakePip();
    fetch();
    chmodSync(place(), 0o777);
    expect(fetch()).toMatchObject({ status: 2, stderr: expect.stringMatching(/may be written to by every user/) });
    chmodSync(place(), 0o755);
    expect(fetch().status).toBe(0);
    if (process.getuid() !== 0) return; // only root can give folders away
    chownSync(join(folder, "cache", "engine"), 12345, 12345);
    expect(fetch()).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/belongs to another user \(number 12345/),
    });
  });

  test("two that start at once fetch it once", async () => {
    fakePip();
    const code = codeFor();
    const env = { PATH: `${join(folder, "bin")}:/bin:/usr/bin`, RFDETR_CACHE: join(folder, "cache") };
    const run = () =>
      new Promise((done) => spawn(process.execPath, ["--input-type=module", "-e", code], { env }).once("exit", done));
    expect(await Promise.all([run(), run(), run()])).toEqual([0, 0, 0]);
    expect(isWhole()).toBe(true);
    expect(asked()).toBe(1);
  });
});

describe("pins", () => {
  test("name every wheel exactly, with size and SHA-256", () => {
    expect(PINS.cpu.wheels.map(({ name, version }) => [name, version])).toEqual([["tensorflow-cpu", TENSORFLOW]]);
    expect(PINS.gpu.wheels[0]).toMatchObject({ name: "tensorflow", version: TENSORFLOW });
    expect(PINS.gpu.wheels.filter(({ name }) => /^nvidia-\w+/.test(name))).toHaveLength(PINS.gpu.wheels.length - 1);
    for (const { contents, wheels } of [PINS.cpu, PINS.gpu]) {
      expect(contents).toMatch(/^[0-9a-f]{64}$/);
      for (const { version, bytes, sha256 } of wheels) {
        expect(version).toMatch(/^\d+(\.\d+)+$/);
        expect(bytes).toBeGreaterThan(1e6);
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      }
    }
  });

  test("pip is told where packages are, and nothing else of its settings", () => {
    const places = {
      PIP_INDEX_URL: "https://mirror",
      PIP_FIND_LINKS: "/wheels",
      PIP_CERT: "ca.pem",
      PIP_CONFIG_FILE: "x",
    };
    const others = {
      PIP_REQUIRE_HASHES: "0",
      PIP_REQUIREMENT: "evil.txt",
      PIP_NO_BINARY: ":all:",
      PIP_PYTHON: "/evil",
    };
    const env = pipEnvironment({ HOME: "/home/me", ...places, ...others }, "/tmp/x");
    expect(env).toMatchObject({ HOME: "/home/me", TMPDIR: "/tmp/x", ...places });
    expect(Object.keys(env).filter((name) => name in others)).toEqual([]);
  });

  test.skipIf(!findPython()?.pip)("pip itself refuses a made-up wheel in the folder of PIP_FIND_LINKS", async () => {
    const info = "tensorflow_cpu-2.21.0.dist-info";
    const data = (text) => ({ data: Buffer.from(text) });
    const links = join(folder, "links");
    mkdirSync(links);
    const made = zip({
      [`${info}/METADATA`]: data("Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.21.0\n"),
      [`${info}/WHEEL`]: data("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_27_x86_64\n"),
      [`${info}/RECORD`]: data(""),
    });
    writeFileSync(join(links, "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"), made);
    const before = { ...process.env };
    Object.assign(process.env, { PIP_FIND_LINKS: links, PIP_NO_INDEX: "1", PIP_REQUIRE_HASHES: "0" });
    try {
      const error = await downloadWheel(PINS.cpu.wheels[0], folder).catch((e) => e);
      expect(error.message).toMatch(/^pip was given another file for tensorflow-cpu==2.21.0/);
      const pin = { ...PINS.cpu.wheels[0], sha256: createHash("sha256").update(made).digest("hex") };
      expect(readFileSync(await downloadWheel(pin, folder)).equals(made)).toBe(true);
    } finally {
      process.env = before;
    }
  });
});
