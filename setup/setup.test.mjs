// The set-up's parts, offline: checks, stamps, the cache, and what it says where something is missing.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { complete, missingBuilds } from "../scripts/complete-lockfile.mjs";
import { which } from "./machine.mjs";
import { staleness } from "./npm.mjs";

const here = dirname(fileURLToPath(import.meta.url));
let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rfdetr-setup-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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

  test("every package in the lock file has its SHA-512, also those for other systems", () => {
    const { packages } = JSON.parse(readFileSync(join(here, "..", "package-lock.json"), "utf8"));
    const without = Object.entries(packages).filter(
      ([path, { integrity }]) => path && !/^sha512-/.test(integrity ?? ""),
    );
    expect(without.map(([path]) => path)).toEqual([]);
  });

  test("a build that the lock file lacks is described by its name", () => {
    const parent = { version: "1.0.0", dev: true, optionalDependencies: { "@x/cli-linux-arm64-musl": "1.2.3" } };
    const { packages } = complete({ packages: { "": {}, "node_modules/x": parent } });
    const expected = { version: "1.2.3", cpu: ["arm64"], dev: true, libc: ["musl"], optional: true, os: ["linux"] };
    expect(packages["node_modules/@x/cli-linux-arm64-musl"]).toEqual(expected);
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
