// From a clean clone to a trained detector: set-up, build, the quickstart recipe, and what came of it.
// Usage: node scripts/quickstart.mjs [options of `rfdetr-train`, e.g. --set train.epochs=2]

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { runScript, setUp } from "../setup/main.mjs";
import { root } from "../setup/npm.mjs";
import { ensureBuilt } from "./build.mjs";
import { summarise } from "./quickstart/summary.mjs";

/** `checkpoints/quickstart`, or the first of `-2`, `-3`, ... that is free: an earlier run is never written over. */
function freeFolder() {
  const first = join(root, "checkpoints", "quickstart");
  for (let i = 1; ; i++) {
    const folder = i === 1 ? first : `${first}-${i}`;
    if (!existsSync(folder)) return folder;
  }
}

/** Run the command line in a process of its own. Ctrl-C reaches it from the terminal; we wait for it to save and end. */
async function commandLine(args) {
  const child = spawn(process.execPath, [join(root, "dist", "cli", "main.js"), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((done, failed) =>
    child.once("error", failed).once("exit", (code, signal) => done(signal ? 1 : code)),
  );
}

await runScript(async () => {
  await setUp();
  await ensureBuilt();
  const args = process.argv.slice(2);
  const given = args.includes("--run")
    ? args[args.indexOf("--run") + 1]
    : args.find((a) => a.startsWith("--run="))?.slice(6);
  const folder = given ? resolve(root, given) : freeFolder();
  const code = await commandLine([
    "--recipe",
    join("recipes", "quickstart.yaml"),
    ...(given ? [] : ["--run", folder]),
    ...args,
  ]);
  if (code === 0 && existsSync(join(folder, "report.html"))) {
    if (args.some((arg) => /^(--set=)?data\./.test(arg)))
      console.log(`\nThe result is in ${relative(process.cwd(), folder)}; see report.html there`);
    else await summarise(folder);
  }
  if (code === 3) console.log(`\nStopped. Go on with: npx rfdetr-train resume ${relative(process.cwd(), folder)}`);
  return code;
});
