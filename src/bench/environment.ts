// On what something was measured, pinned beside the numbers.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { installedEngine } from "../engine/libtensorflow.ts";
import { describeEnvironment, type Environment } from "../run/environment.ts";
import { sha256File } from "../util/files.ts";

/**
 * `instructions`: those of the processor that decide how fast a matrix product is. `images`: SHA-256 of all their bytes.
 * A runtime that was not used is null.
 */
export type BenchmarkEnvironment = Pick<
  Environment,
  "rfdetr_train" | "node" | "platform" | "cpu" | "memory_bytes" | "git" | "started"
> & {
  instructions: string[];
  libtensorflow: string | null;
  tfjs: string | null;
  onnxruntime: string | null;
  sharp: string;
  libvips: string;
  images: string;
};

/** `runtimes`: such as "onnxruntime 1.30.0". */
export async function pinEnvironment(
  runtimes: readonly string[],
  paths: readonly string[],
): Promise<BenchmarkEnvironment> {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(await sha256File(path));
  const versionOf = (name: string) =>
    runtimes.find((one) => one.startsWith(`${name} `))?.slice(name.length + 1) ?? null;
  const libtensorflow = versionOf("libtensorflow");
  const tfjs = libtensorflow === null ? null : (installedEngine()?.tfjs ?? null);
  const engine = { tfjs: tfjs ?? "", libtensorflow: libtensorflow ?? "", device: "" };
  const machine = await describeEnvironment(engine, { fingerprint: "" });
  const { rfdetr_train, node, platform, cpu, memory_bytes, git, started } = machine;
  return {
    ...{ rfdetr_train, node, platform, cpu, memory_bytes, git, started },
    instructions: instructions(),
    ...{ libtensorflow, tfjs, onnxruntime: versionOf("onnxruntime") },
    sharp: sharp.versions.sharp ?? "unknown",
    libvips: sharp.versions.vips,
    images: hash.digest("hex"),
  };
}

/** Linux only: what the first core says of itself. */
function instructions(): string[] {
  try {
    const flags = /^flags\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [];
    return flags.filter((flag) => /^(avx|fma|sse4_2|amx)/.test(flag));
  } catch {
    return [];
  }
}
