// The peak memory of `predict --slices` on one very large picture, which is drawn here.
// Usage: npm run bench:huge -- [--side 20000] [--slices 2048] [--format jpg] [--weights W]
// Without --weights it is RF-DETR nano from scratch: what it finds means nothing, what it takes does.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { toFields } from "../../src/architecture/fields.ts";
import { VARIANTS } from "../../src/architecture/variants.ts";
import { referenceKeys } from "../../src/architecture/weights/table.ts";
import { writeWeightsFile } from "../../src/checkpoint/weightsFile.ts";
import { initialise } from "../../src/model/init.ts";

const { values } = parseArgs({
  options: {
    side: { type: "string", default: "20000" },
    slices: { type: "string", default: "2048" },
    format: { type: "string", default: "jpg" },
    weights: { type: "string" },
  },
});
const side = Number(values.side);
const folder = await mkdtemp(join(tmpdir(), "huge-"));
try {
  const picture = join(folder, `huge.${values.format}`);
  const noise = { type: "gaussian", mean: 120, sigma: 25 };
  await sharp({ create: { width: side, height: side, channels: 3, noise }, limitInputPixels: false }).toFile(picture);
  const weights = values.weights ?? (await scratchWeights());
  const began = performance.now();
  const peak = await peakOf([
    ...["predict", "--weights", weights, "--images", picture, "--slices", values.slices],
    ...["--threshold", "0.02", "--out", join(folder, "found"), "--device", "cpu"],
  ]);
  const seconds = (performance.now() - began) / 1000;
  const found = JSON.parse(await readFile(join(folder, "found", "predictions.json"), "utf8"));
  const megabytes = (await stat(picture)).size / 1e6;
  console.log(`${side} x ${side} pixels, ${megabytes.toFixed(0)} MB of ${values.format}, parts of ${values.slices}`);
  console.log(`peak ${(peak / 1e9).toFixed(2)} GB, ${seconds.toFixed(0)} s, ${found.length} objects`);
  if (peak >= 2e9) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function scratchWeights() {
  const path = join(folder, "nano.safetensors");
  const architecture = { ...VARIANTS.nano, numClasses: 1 };
  const modelConfig = toFields(architecture);
  await writeWeightsFile(path, initialise(referenceKeys(architecture), 0, architecture), { modelConfig, classNames: ["thing"] }); // biome-ignore format: one line
  return path;
}

/** Bytes that the command held at most, as Linux counts them. */
async function peakOf(args) {
  const child = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", ...args], { stdio: ["ignore", "inherit", "inherit"] }); // biome-ignore format: one line
  let peak = 0;
  const look = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peak = Math.max(peak, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  };
  const timer = setInterval(look, 200);
  const code = await new Promise((resolve) => child.on("exit", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`predict ended with code ${code}`);
  return peak;
}
