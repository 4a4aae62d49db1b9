// Compiles src to dist where dist is older. The new folder replaces the old one whole: no file of a module that was removed stays.
// Usage: node scripts/build.mjs [--if-stale]

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SetupError } from "../setup/errors.mjs";
import { withLock } from "../setup/lock.mjs";
import { runScript, setUp } from "../setup/main.mjs";
import { root } from "../setup/npm.mjs";
import { say } from "../setup/progress.mjs";

const dist = join(root, "dist");
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");

/** Files that go into dist as they are: what the code puts into pages. */
const isAsset = (path) => path.endsWith(".css");

function copyAssets(from, to) {
  for (const name of readdirSync(from, { recursive: true })) {
    if (!isAsset(name)) continue;
    mkdirSync(dirname(join(to, name)), { recursive: true });
    copyFileSync(join(from, name), join(to, name));
  }
}

/** Names, sizes and times of all that goes into dist. */
function sourceStamp() {
  const hash = createHash("sha256");
  const source = join(root, "src");
  const files = readdirSync(source, { recursive: true }).map((name) => join(source, name));
  for (const path of [...files.sort(), join(root, "tsconfig.json"), join(root, "tsconfig.build.json")]) {
    const { size, mtimeMs } = statSync(path);
    if (/\.(ts|json)$/.test(path) || isAsset(path)) hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function isFresh() {
  const path = join(dist, ".source");
  return existsSync(path) && readFileSync(path, "utf8") === sourceStamp();
}

function compile(args) {
  const { status, error } = spawnSync(process.execPath, [compiler, ...args], {
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (status === 0) return;
  throw new SetupError(
    `The build failed${error ? `: ${error.message}` : " (the compiler's messages are above)"}.`,
    "Fix the type errors, then run it again.",
  );
}

/** Check the types of what runs in pages, and make one browser script of each folder. */
async function buildPageScripts(fresh) {
  const { compileScript, SCRIPTS } = await import(pathToFileURL(join(fresh, "report", "page", "pageScript.js")).href);
  for (const name of Object.keys(SCRIPTS)) {
    const folder = join(root, "src", "report", name);
    compile(["-p", folder]);
    writeFileSync(join(fresh, "report", `${name}.js`), await compileScript(name, folder));
  }
}

/** The schema of a recipe as a file, for editors. */
async function writeSchema(fresh) {
  const { recipeJsonSchema } = await import(pathToFileURL(join(fresh, "recipe", "jsonSchema.js")).href);
  writeFileSync(join(fresh, "recipe.schema.json"), JSON.stringify(recipeJsonSchema(), null, 2));
}

/** Have dist up to date; takes milliseconds where it is. */
export async function ensureBuilt() {
  if (!isFresh()) await build();
}

/** Compile into a new folder and put it in dist's place. */
export async function build() {
  if (!existsSync(compiler)) await setUp();
  await withLock(join(root, ".cache", "build.lock"), async () => {
    say("build: src to dist");
    const stamp = sourceStamp();
    const fresh = join(root, `dist.${process.pid}.tmp`);
    rmSync(fresh, { recursive: true, force: true });
    try {
      compile(["-p", join(root, "tsconfig.build.json"), "--outDir", fresh, "--noEmitOnError"]);
      await buildPageScripts(fresh);
      await writeSchema(fresh);
      copyAssets(join(root, "src"), fresh);
      writeFileSync(join(fresh, ".source"), stamp);
      const old = `${fresh}.old`;
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      rmSync(old, { recursive: true, force: true });
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(process.argv.includes("--if-stale") ? ensureBuilt : build);
}
