// Writes setup/pins.json: downloads every wheel of both engines (about 4 GB, one at a time) and notes its version, size and
// sums. For a person who changes TENSORFLOW, and looks at what changed before committing it.
// Usage: node scripts/pin-engine.mjs

import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downloadArguments, requirePip, runPip } from "../setup/download.mjs";
import { runScript } from "../setup/main.mjs";
import { root } from "../setup/npm.mjs";
import { contentsSum, isWanted, TENSORFLOW } from "../setup/pins.mjs";
import { say } from "../setup/progress.mjs";
import { openWheel, requirements } from "../setup/wheel.mjs";

async function sha256Of(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** Download one wheel; its pin, what is unpacked of it, and what it needs for CUDA. */
async function pinOf(requirement) {
  const folder = mkdtempSync(join(tmpdir(), "pin-"));
  try {
    const { code, output } = await runPip(
      requirePip(),
      [...downloadArguments(requirement), "--dest", folder, requirement],
      folder,
    );
    if (code !== 0) throw new Error(output);
    const file = readdirSync(folder).find((name) => name.endsWith(".whl"));
    const path = join(folder, file);
    const wheel = await openWheel(path);
    const files = {};
    for (const { name } of wheel.entries)
      if (!name.endsWith("/") && isWanted(name)) files[name] = wheel.record.get(name);
    const [distribution, version] = file.split("-");
    const pin = {
      name: distribution.replaceAll("_", "-"),
      version,
      file,
      bytes: statSync(path).size,
      sha256: await sha256Of(path),
    };
    say(`${pin.name} ${version}: ${pin.bytes} bytes, ${Object.keys(files).length} files of it`);
    return { pin, files, needs: requirements(wheel.metadata, "and-cuda") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await runScript(async () => {
  const pins = {};
  for (const [kind, name] of [
    ["cpu", "tensorflow-cpu"],
    ["gpu", "tensorflow"],
  ]) {
    const main = await pinOf(`${name}==${TENSORFLOW}`);
    const parts = [main];
    if (kind === "gpu") for (const need of main.needs) parts.push(await pinOf(need));
    const contents = contentsSum(Object.assign({}, ...parts.map(({ files }) => files)));
    pins[kind] = { contents, wheels: parts.map(({ pin }) => pin) };
  }
  writeFileSync(join(root, "setup", "pins.json"), `${JSON.stringify(pins, null, 2)}\n`);
});
