// The set-up's parts, offline: checks, stamps, the cache, and what it says where something is missing.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { complete, missingBuilds } from "../scripts/complete-lockfile.mjs";
import { which } from "./machine.mjs";
import { staleness } from "./npm.mjs";
import { LIBRARY, zip } from "./testZip.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const base = mkdtempSync(join(tmpdir(), "rfdetr-setup-test-"));
let folder;
let number = 0;
beforeEach(() => {
  folder = join(base, String(number++));
  mkdirSync(folder);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe("npm dependencies", () => {
  const write = (wanted, installed) => {
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: wanted }));
    mkdirSync(join(folder, "node_modules", "a"), { recursive: true });
    writeFileSync(join(folder, "node_modules", "a", "package.json"), "{}");
    if (installed)
      writeFileSync(join(folder, "node_modules", ".package-lock.json"), JSON.stringify({ packages: installed }));
  };
  const a = { version: "1.0.0", integrity: "sha512-x" };

  test("they are up to date when npm has installed what the lock file says", () => {
    write(
      { "": {}, "node_modules/a": a, "node_modules/b": { version: "2.0.0", optional: true } },
      { "node_modules/a": a },
    );
    expect(staleness(folder)).toBeUndefined();
  });

  test("they are stale when one is missing, of another version, deleted, or the install was cut off", () => {
    write({ "": {}, "node_modules/a": a, "node_modules/b": a }, { "node_modules/a": a });
    expect(staleness(folder)).toMatch("node_modules/b");
    write({ "node_modules/a": a }, { "node_modules/a": { ...a, version: "0.9.0" } });
    expect(staleness(folder)).toMatch("node_modules/a");
    write({ "node_modules/a": a }, { "node_modules/a": a });
    rmSync(join(folder, "node_modules", "a"), { recursive: true });
    expect(staleness(folder)).toMatch("missing");
    rmSync(join(folder, "node_modules", ".package-lock.json"));
    expect(staleness(folder)).toMatch("incomplete");
  });

  test("the lock file of this project describes the builds for every platform, else npm ci refuses it", () => {
    const lock = JSON.parse(readFileSync(join(here, "..", "package-lock.json"), "utf8"));
    expect(missingBuilds(lock), "run: node scripts/complete-lockfile.mjs").toEqual([]);
  });

  test("a build that the lock file lacks is described by its name", () => {
    const parent = { version: "1.0.0", dev: true, optionalDependencies: { "@x/cli-linux-arm64-musl": "1.2.3" } };
    const { packages } = complete({ packages: { "": {}, "node_modules/x": parent } });
    const expected = { version: "1.2.3", cpu: ["arm64"], dev: true, libc: ["musl"], optional: true, os: ["linux"] };
    expect(packages["node_modules/@x/cli-linux-arm64-musl"]).toEqual(expected);
  });
});

describe.runIf(process.platform === "linux")("the library in the cache", () => {
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
    const script = `#!/bin/sh
case "$*" in *version_info*) echo 3.11.0;; *--version*) echo "pip 23.0 from x";;
*) echo asked >> ${folder}/asked; while [ "$1" != --dest ]; do shift; done; cp ${delivered} "$2/tensorflow_cpu-2.21.0-x.whl";; esac\n`;
    writeFileSync(join(bin, "python3"), script, { mode: 0o755 });
    const code = `const { libraryInCache } = await import(${JSON.stringify(join(here, "library.mjs"))});
      console.log((await libraryInCache("cpu", process.argv.includes("force"))).folder);`;
    return (...args) =>
      spawnSync(process.execPath, ["--input-type=module", "-e", code, ...args], {
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

  test("a file that was deleted or cut is repaired, one that was changed too when everything is to be checked", () => {
    const fetch = fakePip();
    fetch();
    const library = join(place(), "tensorflow", "libtensorflow_cc.so.2");
    rmSync(library);
    fetch();
    expect(isWhole()).toBe(true);
    writeFileSync(library, Buffer.alloc(LIBRARY.length));
    fetch();
    expect(isWhole()).toBe(false);
    fetch("force");
    expect(isWhole()).toBe(true);
    expect(asked()).toBe(3);
  });

  test("two that start at once fetch it once", async () => {
    fakePip();
    const code = `const { libraryInCache } = await import(${JSON.stringify(join(here, "library.mjs"))}); await libraryInCache("cpu");`;
    const env = { PATH: `${join(folder, "bin")}:/bin:/usr/bin`, RFDETR_CACHE: join(folder, "cache") };
    const run = () =>
      new Promise((done) => spawn(process.execPath, ["--input-type=module", "-e", code], { env }).once("exit", done));
    expect(await Promise.all([run(), run(), run()])).toEqual([0, 0, 0]);
    expect(isWhole()).toBe(true);
    expect(asked()).toBe(1);
  });
});

describe.runIf(process.platform === "linux" && process.arch === "x64")("the command", () => {
  /** A PATH with only these programs. */
  const pathWith = (...names) => {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    for (const name of names) symlinkSync(which(name), join(bin, name));
    return bin;
  };
  const script = (name, content) => {
    const path = join(folder, "bin", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o755 });
  };
  /** The engine's part of the set-up as of a fresh cache; `npm ci` is not wanted here. Nothing gets as far as the package. */
  const setUp = (env) => {
    const code = `import { runScript } from ${JSON.stringify(join(here, "main.mjs"))};
      import { setUpEngine } from ${JSON.stringify(join(here, "engine.mjs"))};
      await runScript(async () => { await setUpEngine({ force: true, flavour: "cpu" }); });`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      env: { HOME: folder, RFDETR_CACHE: join(folder, "cache"), ...env },
    });
    return { status, stderr };
  };

  test("names the compiler and make where they are missing, and how to install them", () => {
    const { status, stderr } = setUp({ PATH: pathWith("python3") });
    expect(status).toBe(2);
    expect(stderr).toMatch(/C\+\+ compiler.* and make/);
    expect(stderr).toMatch(/Run: .*install/);
    expect(stderr).not.toMatch(/ at .*\.mjs:\d/);
  });

  test("names python3 where it is missing", () => {
    const { status, stderr } = setUp({ PATH: pathWith("g++", "make") });
    expect(status).toBe(2);
    expect(stderr).toMatch(/python3 is missing/);
  });

  test("names pip where python3 has none", () => {
    script("python3", '#!/bin/sh\ncase "$*" in *version_info*) echo 3.11.0;; *) exit 1;; esac\n');
    const { status, stderr } = setUp({ PATH: `${pathWith("g++", "make")}:/bin` });
    expect(status).toBe(2);
    expect(stderr).toMatch(/has no pip/);
    expect(stderr).toMatch(/python3-pip|python-pip/);
  });

  test("says what pip said where it finds no such wheel, and does not try again", () => {
    script(
      "python3",
      '#!/bin/sh\ncase "$*" in *version_info*) echo 3.11.0;; *--version*) echo "pip 23.0 from x";; *) echo "ERROR: No matching distribution found for tensorflow-cpu==2.21.0" >&2; exit 1;; esac\n',
    );
    const { status, stderr } = setUp({ PATH: `${pathWith("g++", "make")}:/bin` });
    expect(status).toBe(2);
    expect(stderr).toMatch(/No matching distribution found/);
    expect(stderr).toMatch(/RFDETR_LIBTENSORFLOW/);
    expect(stderr).not.toMatch(/try 2/);
  });

  test("fetches a damaged wheel once more, then gives up with one message", () => {
    script(
      "python3",
      '#!/bin/sh\ncase "$*" in *version_info*) echo 3.11.0;; *--version*) echo "pip 23.0 from x";; *) while [ "$1" != --dest ]; do shift; done; echo "not a zip" > "$2/tensorflow_cpu-2.21.0-x.whl";; esac\n',
    );
    const { status, stderr } = setUp({ PATH: `${pathWith("g++", "make")}:/bin` });
    expect(status).toBe(2);
    expect(stderr).toMatch(/fetching it again/);
    expect(stderr).toMatch(/downloaded twice/);
    expect(existsSync(join(folder, "cache", "engine", "tensorflow-cpu-2.21.0"))).toBe(false);
  });

  test("refuses a folder named in RFDETR_LIBTENSORFLOW that has no library", () => {
    const { status, stderr } = setUp({ PATH: process.env.PATH, RFDETR_LIBTENSORFLOW: folder });
    expect(status).toBe(2);
    expect(stderr).toMatch(/no complete libtensorflow/);
    expect(setUp({ PATH: process.env.PATH, RFDETR_LIBTENSORFLOW: "/nowhere" }).stderr).toMatch(/no such folder/);
  });
});
