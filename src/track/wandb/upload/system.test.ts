import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { openSystemSampler } from "./system.ts";

it("processor and memory are measured", async () => {
  const sampler = openSystemSampler({ every: 1000, nvidiaSmi: "/nonexistent/nvidia-smi" });
  onTestFinished(() => sampler.close());
  for (const began = performance.now(); performance.now() - began < 200; );
  const busy = sampler.sample();
  await sleep(200);
  const idle = sampler.sample();
  expect(busy["system.cpu"]).toBeGreaterThan(idle["system.cpu"]!);
  expect(busy["system.cpu"]).toBeLessThanOrEqual(100);
  expect(busy["system.memory_percent"]).toBeGreaterThan(0);
  expect(busy["system.memory_percent"]).toBeLessThan(100);
  expect(busy["system.proc.memory.rssMB"]).toBeGreaterThan(10);
  expect(Object.keys(busy).filter((key) => key.includes("gpu"))).toEqual([]);
});

it("GPUs are what nvidia-smi tells last; what it does not know is left out", async () => {
  const folder = await mkdtemp(join(tmpdir(), "smi-"));
  const program = join(folder, "nvidia-smi");
  const lines = [
    "0, 10, 5, 1000, 4000, 40, 100.5",
    "1, 0, 0, 500, 4000, 30, [N/A]",
    "0, 90, 50, 2000, 4000, 60, 300.25",
  ];
  await writeFile(program, `#!/bin/sh\nprintf '${lines.join("\\n")}\\n'\nexec sleep 60\n`);
  await chmod(program, 0o755);
  const sampler = openSystemSampler({ every: 1000, nvidiaSmi: program });
  onTestFinished(async () => {
    sampler.close();
    await rm(folder, { recursive: true });
  });
  let sample = sampler.sample();
  for (let i = 0; i < 200 && sample["system.gpu.0.gpu"] !== 90; i++) {
    await sleep(20);
    sample = sampler.sample();
  }
  expect(sample).toMatchObject({
    ...{ "system.gpu.0.gpu": 90, "system.gpu.0.memory": 50, "system.gpu.0.memoryAllocated": 50 },
    ...{ "system.gpu.0.memoryAllocatedBytes": 2000 * 2 ** 20, "system.gpu.0.temp": 60 },
    ...{ "system.gpu.0.powerWatts": 300.25, "system.gpu.1.memoryAllocated": 12.5 },
  });
  expect(sample).not.toHaveProperty("system.gpu.1.powerWatts");
});
