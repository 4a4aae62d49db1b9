// `rfdetr-train doctor`: shows what engine, device, Node and tools there are, and how to fix what is missing; or what limits a run.

import type { CommandModule } from "yargs";
import type { Advice } from "../../doctor/advice/advice.ts";
import type { Diagnosis } from "../../doctor/diagnose.ts";
import { JSON_OPTION } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable } from "../terminal/table.ts";

/** The diagnosis as a table for people. */
function formatDiagnosis(found: Diagnosis): string {
  const { node, system, libtensorflow: library, device, matmul, tools, cache } = found;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const rows: [string, string][] = [
    ["node", `${node.version}, N-API ${node.napi}, ABI ${node.abi} (${node.path})`],
    ["system", `${system.platform} ${system.arch}${system.glibc ? `, glibc ${system.glibc}` : ""}`],
    ["processor", `${system.processor}, ${system.cores} cores`],
    ["memory", `${gigabytes(system.memory)}, ${gigabytes(system.free)} free`],
    ["tensorflow.js", found.tfjs ?? "missing"],
    ["libtensorflow", library.version ? `${library.version}, ${flavourText(library)} (${library.path})` : "not loaded"],
    ["device", device ? `${device.kind.toUpperCase()}: ${device.name}` : "none"],
    ["onnxruntime", found.onnxruntime ?? "not installed"],
    ["NVIDIA GPUs", device?.gpus.join(", ") || "none found"],
    [
      "matmul",
      matmul
        ? `${matmul.size} x ${matmul.size} float32: ${matmul.milliseconds.toFixed(1)} ms, ${matmul.gflops.toFixed(0)} GFLOP/s`
        : "not run",
    ],
    ...Object.entries(tools).map(([name, value]): [string, string] => [name, value ?? "not found"]),
    ["cache", `${cache.path}, ${gigabytes(cache.bytes)} used, ${gigabytes(cache.free)} free on the disk`],
  ];
  const lines = factTable(rows);
  for (const { what, mend, fatal } of found.problems) {
    lines.push("", `${fatal ? "PROBLEM" : "WARNING"}: ${what}`, `  fix it: ${mend}`);
  }
  lines.push("", found.ok ? "Training works here." : "Training does not work here yet.");
  return lines.join("\n");
}

function flavourText({ flavour, cuda }: Diagnosis["libtensorflow"]): string {
  const built = cuda === null ? "" : cuda ? "with CUDA" : "CPU only";
  return [flavour === "cpu" || flavour === "gpu" ? "" : flavour, built].filter(Boolean).join(", ") || flavour;
}

/** Advice on a run as a list for people. */
function formatAdvice(run: string, advice: readonly Advice[]): string {
  if (advice.length === 0) return `The files of ${run} say nothing that limits it.`;
  const lines = advice.flatMap(({ text, todo }, i) => ["", `${String(i + 1).padStart(2)}. ${text}`, `    ${todo}`]);
  return [`What the files of ${run} say`, ...lines].join("\n");
}

type Arguments = { run?: string; json: boolean };

export const doctorCommand: CommandModule<object, Arguments> = {
  command: "doctor [run]",
  describe:
    "Show engine, device, Node and tools, and how to fix what is missing; or what limits a run, and what would help",
  builder: (yargs) =>
    yargs
      .positional("run", { type: "string", describe: "Folder of a run to give advice on" })
      .option("json", JSON_OPTION) as never,
  handler: async ({ run, json }) => {
    if (run !== undefined) {
      const { adviseRun } = await import("../../doctor/advice/advice.ts");
      const advice = await adviseRun(run);
      if (json) console.log(JSON.stringify({ run, advice }, null, 2));
      else printResult(formatAdvice(run, advice));
      return;
    }
    const { diagnose } = await import("../../doctor/diagnose.ts");
    const found = await diagnose();
    if (json) console.log(JSON.stringify(found, null, 2));
    else printResult(formatDiagnosis(found));
    process.exitCode = found.ok ? 0 : 2;
  },
};
