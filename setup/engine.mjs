// The engine: libtensorflow, linked into tfjs-node-gpu, and its addon built against it.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { buildAddon, buildOwnAddons, OWN_ADDONS } from "./addon.mjs";
import { SetupError } from "./errors.mjs";
import { libraryInCache, requireOwn } from "./library.mjs";
import { findCompiler, findMake, findPython, glibcVersion, installCommand, nvidiaGpus } from "./machine.mjs";
import { isCheckout, npm, root, setupCommand } from "./npm.mjs";
import { LIBRARIES, TENSORFLOW } from "./pins.mjs";
import { say } from "./progress.mjs";

/** Raised when a built engine of an older version of this set-up has to be built again, though its own sources are the same. */
const FORMAT = 5;

/** The folder of the tfjs-node-gpu package that this program loads. */
function packageFolder() {
  try {
    return dirname(createRequire(join(root, "package.json")).resolve("@tensorflow/tfjs-node-gpu/package.json"));
  } catch {
    return undefined;
  }
}

/** What the last set-up did, where all of it is still in place; else undefined. Costs a few file look-ups. */
function readStamp(folder = packageFolder()) {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, "deps", "engine.json"), "utf8"));
    const same = ([path, size]) => statSync(join(folder, path)).size === size;
    const current = stamp.format === FORMAT && (stamp.flavour === "prebuilt" || stamp.sources === sourcesDigest());
    return current && Object.entries(stamp.files).every(same) ? stamp : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256 of the sources that our addons are built from, with their names. */
function sourcesDigest() {
  const folder = join(root, "setup", "native");
  const hash = createHash("sha256");
  for (const file of readdirSync(folder, { recursive: true }).sort()) {
    if (statSync(join(folder, file)).isFile()) hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
  }
  return hash.digest("hex");
}

/**
 * Have the engine ready: libtensorflow in the cache, linked into tfjs-node-gpu, the addon built. Does nothing where it is.
 * @param {{ flavour?: "cpu" | "gpu", force?: boolean }} options `flavour` undefined: as before, else by the NVIDIA driver
 */
export async function setUpEngine({ flavour, force = false } = {}) {
  const given = process.env.RFDETR_LIBTENSORFLOW;
  const asked = flavour ?? (process.env.RFDETR_ENGINE || undefined);
  if (asked && asked !== "cpu" && asked !== "gpu") {
    throw new SetupError(`RFDETR_ENGINE is ${JSON.stringify(asked)}.`, "Set it to cpu or gpu, or leave it out.");
  }
  const stamp = force ? undefined : readStamp();
  if (stamp && isWanted(stamp, given, asked)) {
    if (stamp.flavour === "cpu" || stamp.flavour === "gpu") await requireOwn(stamp.source);
    return stamp;
  }
  if (process.platform !== "linux" || process.arch !== "x64") return prebuilt();
  const glibc = glibcVersion();
  if (!glibc || Number(glibc.split(".")[0]) * 100 + Number(glibc.split(".")[1]) < 227) {
    throw new SetupError(
      `libtensorflow needs Linux with glibc 2.27 or later; this system has ${glibc ? `glibc ${glibc}` : "another C library (Alpine's musl?)"}.`,
      "Use a newer or a glibc-based system, e.g. a container: docker run -it node:22-bookworm",
    );
  }
  await ensurePackage();
  requireBuildTools();
  const kind = given ? "given" : (asked ?? (nvidiaGpus().length > 0 ? "gpu" : "cpu"));
  const library = given ? validateGiven(given) : await libraryInCache(kind);
  const folder = packageFolder();
  try {
    return await linkAndBuild(folder, library, { flavour: kind, asked });
  } catch (error) {
    if (given || error instanceof SetupError) throw error;
    throw new SetupError(
      `The engine was built but does not load: ${error.message}`,
      `Run ${setupCommand} -- --force, which fetches and checks everything again.`,
    );
  }
}

function isWanted(stamp, given, asked) {
  if (given) return stamp.flavour === "given" && existsSync(given) && stamp.source === realpathSync(given);
  if (asked) return stamp.flavour === asked;
  if (stamp.flavour === "given" || stamp.asked) return true;
  // A driver that came after the set-up: the CPU library would leave the GPU unused.
  return stamp.flavour === "gpu" || nvidiaGpus().length === 0;
}

/** In an installed package the engine's package can be missing: npm drops an optional dependency whose own install script fails. */
async function ensurePackage() {
  if (packageFolder()) return;
  if (isCheckout)
    throw new SetupError(
      "@tensorflow/tfjs-node-gpu is not in node_modules.",
      `Delete node_modules and run ${setupCommand}.`,
    );
  const { optionalDependencies = {}, dependencies = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const name = "@tensorflow/tfjs-node-gpu";
  const version = optionalDependencies[name] ?? dependencies[name];
  say(`setup: npm install ${name}@${version}`);
  const project = resolve(root.slice(0, root.lastIndexOf("node_modules")));
  await npm(["install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", `${name}@${version}`], project);
  if (!packageFolder())
    throw new SetupError(`npm did not install ${name}.`, `Run: npm install --ignore-scripts ${name}@${version}`);
}

function requireBuildTools() {
  const missing = [];
  if (!findCompiler()) missing.push("compiler");
  if (!findMake()) missing.push("make");
  if (!findPython()) missing.push("python");
  if (missing.length === 0) return;
  const names = { compiler: "a C++ compiler (g++)", make: "make", python: "python3" };
  throw new SetupError(
    `The engine's addon is built on this machine, and ${missing.map((what) => names[what]).join(" and ")} ${missing.length > 1 ? "are" : "is"} missing.`,
    `Run: ${installCommand(missing)}`,
  );
}

/** A library that is already there: an unzipped wheel, a site-packages folder, or the folder `tensorflow` in one. */
function validateGiven(given) {
  const hint = `It must hold ${LIBRARIES.join(", ")} and include/tensorflow/c/c_api.h, as the folder "tensorflow" of a tensorflow ${TENSORFLOW} wheel does.`;
  if (!existsSync(given)) throw new SetupError(`RFDETR_LIBTENSORFLOW=${given}: no such folder.`, hint);
  const source = realpathSync(given);
  for (const folder of [source, join(source, "tensorflow")]) {
    const missing = [...LIBRARIES, "include/tensorflow/c/c_api.h", "include/tensorflow/c/eager/c_api.h"].filter(
      (name) => !existsSync(join(folder, name)),
    );
    if (missing.length === 0) {
      for (const name of LIBRARIES) requireElf(join(folder, name));
      return { folder, source };
    }
  }
  throw new SetupError(`RFDETR_LIBTENSORFLOW=${given}: it has no complete libtensorflow.`, hint);
}

function requireElf(path) {
  const head = readFileSync(path).subarray(0, 20);
  const x64 = head.length === 20 && head.readUInt32BE(0) === 0x7f454c46 && head.readUInt16LE(18) === 62;
  if (!x64) throw new SetupError(`${path} is no Linux x64 library.`, "Give the library of a Linux x86_64 wheel.");
}

/** Link the library into the package and build the addon. Each link and file is replaced at once: who has the old one goes on. */
async function linkAndBuild(folder, { folder: library, source }, { flavour, asked }) {
  const deps = join(folder, "deps");
  await mkdir(join(deps, "lib"), { recursive: true });
  await rm(join(deps, "engine.json"), { force: true });
  await link(join(library, "include"), join(deps, "include"));
  for (const name of LIBRARIES) await link(join(library, name), join(deps, "lib", name));
  await link(LIBRARIES[0], join(deps, "lib", "libtensorflow.so"));
  await link(LIBRARIES[1], join(deps, "lib", "libtensorflow_framework.so"));
  // The CUDA build looks for ../nvidia/*/lib from where it was found, which is deps/lib and not what the link names.
  const cuda = join(dirname(library), "nvidia");
  if (existsSync(cuda)) await link(cuda, join(deps, "nvidia"));
  else await rm(join(deps, "nvidia"), { force: true });

  const addon = "lib/napi-v8/tfjs_binding.node";
  const tensorflow = await buildAddon(folder, join(folder, addon), loadedVersion);
  await buildOwnAddons(folder);
  const files = [addon, ...Object.values(OWN_ADDONS), ...LIBRARIES.map((name) => `deps/lib/${name}`)];
  const stamp = {
    format: FORMAT,
    tensorflow,
    flavour,
    cuda: await hasCuda(join(library, LIBRARIES[1])),
    asked: asked ?? null,
    source,
    sources: sourcesDigest(),
    files: Object.fromEntries(files.map((path) => [path, statSync(join(folder, path)).size])),
  };
  await writeFile(join(deps, "engine.json.tmp"), JSON.stringify(stamp, null, 1));
  await rename(join(deps, "engine.json.tmp"), join(deps, "engine.json"));
  return stamp;
}

/** Whether a library was built with CUDA: then it knows where the CUDA wheels' libraries lie. */
async function hasCuda(path) {
  const word = Buffer.from("nvidia/cuda_runtime/lib");
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 22 })) {
    const text = Buffer.concat([rest, chunk]);
    if (text.includes(word)) return true;
    rest = text.subarray(-word.length);
  }
  return false;
}

async function link(target, path) {
  const temporary = `${path}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  await symlink(target, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    // A real folder stands there: the package's own install script unpacks one.
    if (error.code !== "EISDIR" && error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
  }
}

/** TensorFlow's version, as an addon says that is loaded in a process of its own. Rejects with why it does not load. */
async function loadedVersion(addon) {
  const code = `const b = require(${JSON.stringify(addon)}); process.stdout.write("version " + b.TF_Version + "\\n")`;
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2", CUDA_VISIBLE_DEVICES: "-1" };
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const [exit, signal] = await new Promise((done, failed) => {
    child.once("error", failed).once("close", (...how) => done(how));
  });
  const version = /^version (\S+)$/m.exec(output)?.[1];
  if (exit === 0 && version) return version;
  const reason = /^Error: .*$/m.exec(output)?.[0] ?? output.trim().split("\n").at(-1);
  throw new Error(reason || `the process ended with ${signal ?? exit}`);
}

/** Other platforms: the package's own install script brings an older library and a prebuilt addon. Untested. */
async function prebuilt() {
  say(`setup: ${process.platform} ${process.arch} is untested; trying the library that tfjs-node itself offers for it`);
  await ensurePackage();
  const folder = packageFolder();
  const bin = [join(folder, "node_modules", ".bin"), join(dirname(dirname(folder)), ".bin"), process.env.PATH];
  const child = spawn(process.execPath, [join(folder, "scripts", "install.js"), "gpu", "download"], {
    cwd: folder,
    stdio: ["ignore", process.stderr, process.stderr],
    env: { ...process.env, PATH: bin.join(process.platform === "win32" ? ";" : ":") },
  });
  const code = await new Promise((done, failed) => child.once("error", failed).once("exit", done));
  const addons = await readdir(join(folder, "lib"), { recursive: true }).catch(() => []);
  const addon = addons.find((name) => name.endsWith("tfjs_binding.node"));
  if (code !== 0 || !addon) {
    throw new SetupError(
      `This program is made for Linux x64; tfjs-node has no library that installs on ${process.platform} ${process.arch}.`,
      "Use Linux x64, also as a container or under WSL 2: docker run -it node:22-bookworm",
    );
  }
  const path = join("lib", addon);
  const tensorflow = await loadedVersion(join(folder, path));
  const stamp = {
    format: FORMAT,
    tensorflow,
    flavour: "prebuilt",
    asked: null,
    source: folder,
    files: { [path]: statSync(join(folder, path)).size },
  };
  await mkdir(join(folder, "deps"), { recursive: true });
  await writeFile(join(folder, "deps", "engine.json"), JSON.stringify(stamp, null, 1));
  return stamp;
}
