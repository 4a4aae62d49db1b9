// What engine, device, Node and tools there are, what is missing, and the command that fixes it.

import { existsSync, readdirSync, statSync } from "node:fs";
import { arch, availableParallelism, cpus, freemem, platform, totalmem } from "node:os";
import { join } from "node:path";
import * as machine from "../../setup/machine.mjs";
import type { DeviceInfo } from "../engine/device.ts";
import { installedEngine, setupInvocation, setupWith } from "../engine/libtensorflow.ts";
import { INSTALL_ONNXRUNTIME, onnxruntimeVersion } from "../onnx/session.ts";
import { UserError } from "../util/errors.ts";
import { cacheDir } from "../util/files.ts";

/** Something that is missing or untested, and the command that fixes it. */
type Finding = { what: string; mend: string /** Whether training cannot work with it. */; fatal: boolean };

/** Everything that doctor found; this is what `--json` prints. */
export type Diagnosis = {
  ok: boolean;
  node: { version: string; napi: string; abi: string; path: string };
  system: {
    platform: string;
    arch: string;
    glibc: string | null;
    processor: string;
    cores: number;
    memory: number;
    free: number;
  };
  tfjs: string | null;
  /** Runs and verifies ONNX files. */
  onnxruntime: string | null;
  libtensorflow: { version: string | null; path: string | null; flavour: string; cuda: boolean | null };
  device: { kind: "cpu" | "gpu"; name: string; gpus: string[] } | null;
  matmul: { size: number; milliseconds: number; gflops: number } | null;
  tools: Record<"python" | "pip" | "compiler" | "make" | "node headers", string | null>;
  cache: { path: string; bytes: number; free: number };
  problems: Finding[];
};

/** Look at everything. Never throws for something missing: that is a problem in the answer. */
export async function diagnose(): Promise<Diagnosis> {
  const problems: Finding[] = [];
  const engine = installedEngine();
  const { device, matmul } = await tryDevice(problems);
  const python = machine.findPython();
  const compiler = machine.findCompiler();
  const make = machine.findMake();
  const needs = { python: !python, pip: python !== undefined && !python.pip, compiler: !compiler, make: !make };
  const missing = (Object.keys(needs) as (keyof typeof needs)[]).filter((name) => needs[name]);
  if (missing.length > 0) {
    // An engine that runs needs none of them any more.
    const what = `${missing.join(", ")} not found (only the set-up needs it)`;
    problems.push({ what, mend: machine.installCommand(missing), fatal: false });
  }
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    problems.push({ what: `Node ${process.versions.node} is too old`, mend: "Install Node 22", fatal: true });
  }
  if (platform() !== "linux" || arch() !== "x64") {
    problems.push({ what: `${platform()} ${arch()} is untested`, mend: "Use Linux x64 or WSL 2", fatal: false });
  }
  if (device?.warning) problems.push({ what: device.warning, mend: setupWith("--gpu"), fatal: false });
  const onnxruntime = onnxruntimeVersion() ?? null;
  if (onnxruntime === null) {
    const what = "onnxruntime-node is not installed: ONNX files are exported unverified, and cannot be run";
    problems.push({ what, mend: INSTALL_ONNXRUNTIME, fatal: false });
  }
  const cache = cacheDir();
  return {
    ok: !problems.some((problem) => problem.fatal),
    node: {
      version: process.version,
      napi: process.versions.napi ?? "",
      abi: process.versions.modules,
      path: process.execPath,
    },
    system: {
      platform: platform(),
      arch: arch(),
      glibc: machine.glibcVersion() ?? null,
      processor: cpus()[0]?.model.trim() ?? "",
      cores: availableParallelism(),
      memory: totalmem(),
      free: freemem(),
    },
    tfjs: engine?.tfjs ?? null,
    onnxruntime,
    libtensorflow: {
      version: device?.tensorflow ?? null,
      path: engine?.library ?? null,
      flavour: engine?.flavour ?? "unknown",
      cuda: engine?.cuda ?? null,
    },
    device: device ? { kind: device.kind, name: device.name, gpus: device.gpus } : null,
    matmul,
    tools: {
      python: python ? `${python.version} (${python.path})` : null,
      pip: python?.pip ?? null,
      compiler: compiler?.version ?? null,
      make: make?.version ?? null,
      "node headers": machine.findNodeHeaders() ?? null,
    },
    cache: { path: cache, bytes: folderSize(cache), free: machine.freeBytes(cache) },
    problems,
  };
}

async function tryDevice(
  problems: Finding[],
): Promise<{ device: DeviceInfo | undefined; matmul: Diagnosis["matmul"] }> {
  try {
    const { selectDevice, timeMatmul } = await import("../engine/device.ts");
    const device = selectDevice("auto");
    return { device, matmul: await timeMatmul(device.kind) };
  } catch (error) {
    const mend = error instanceof UserError ? error.hint?.replace(/^Run: /, "") : undefined;
    problems.push({ what: (error as Error).message, mend: mend ?? setupInvocation(), fatal: true });
    return { device: undefined, matmul: null };
  }
}

function folderSize(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
