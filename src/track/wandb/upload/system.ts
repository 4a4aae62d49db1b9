// Load of the machine under the names that W&B's system charts have: processor, memory, and GPUs where nvidia-smi says it.

import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, freemem, totalmem } from "node:os";
import { createInterface } from "node:readline";

export type SystemSampler = {
  /** What is so now; the processor's share is the mean since the last sample. */
  sample(): Record<string, number>;
  close(): void;
};

const GPU_FIELDS = "index,utilization.gpu,utilization.memory,memory.used,memory.total,temperature.gpu,power.draw";
const MIB = 2 ** 20;

/** Watch this process and the machine. `every`: milliseconds between two looks at the GPUs. */
export function openSystemSampler({
  every,
  nvidiaSmi = "nvidia-smi",
}: {
  every: number;
  nvidiaSmi?: string;
}): SystemSampler {
  const gpus = new Map<string, Record<string, number>>();
  const watcher = watchGpus(nvidiaSmi, every, gpus);
  let before = { cpu: process.cpuUsage(), at: performance.now() };
  return {
    sample() {
      const now = { cpu: process.cpuUsage(), at: performance.now() };
      const busy = now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system;
      const share = busy / 1000 / Math.max(1, now.at - before.at) / availableParallelism();
      before = now;
      const rss = process.memoryUsage.rss();
      return {
        "system.cpu": 100 * Math.min(1, share),
        "system.memory_percent": 100 * (1 - freemem() / totalmem()),
        "system.proc.memory.rssMB": rss / MIB,
        "system.proc.memory.percent": (100 * rss) / totalmem(),
        "system.proc.memory.availableMB": freemem() / MIB,
        ...Object.assign({}, ...gpus.values()),
      };
    },
    close: () => {
      watcher.kill();
    },
  };
}

/** One process that reports again and again: starting one for each look would copy this process's page tables each time. */
function watchGpus(command: string, every: number, gpus: Map<string, Record<string, number>>): ChildProcess {
  const seconds = String(Math.max(1, Math.round(every / 1000)));
  const words = [`--query-gpu=${GPU_FIELDS}`, "--format=csv,noheader,nounits", "-l", seconds];
  const child = spawn(command, words, { stdio: ["ignore", "pipe", "ignore"], windowsHide: true });
  child.on("error", () => {}); // no such program: no GPU of this make
  child.unref();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const [index, ...values] = line.split(",").map((value) => value.trim());
    gpus.set(index!, gpuMetrics(index!, values.map(Number)));
  });
  return child;
}

/** A line of nvidia-smi; what it does not know ("[N/A]") is left out. */
function gpuMetrics(
  index: string,
  [busy, memoryBusy, used, total, temperature, watts]: number[],
): Record<string, number> {
  const metrics = {
    gpu: busy,
    memory: memoryBusy,
    memoryAllocated: (100 * used!) / total!,
    memoryAllocatedBytes: used! * MIB,
    temp: temperature,
    powerWatts: watts,
  };
  return Object.fromEntries(
    Object.entries(metrics)
      .filter((entry): entry is [string, number] => Number.isFinite(entry[1]))
      .map(([name, value]) => [`system.gpu.${index}.${name}`, value]),
  );
}
