// Which device trains, whether it is the one that was asked for, and a timed matrix product as the proof. Never a silent CPU.

import { availableParallelism, cpus } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import { nvidiaGpus } from "../../setup/machine.mjs";
import { UserError } from "../util/errors.ts";
import { isBackendLoaded, loadBackend } from "./backend.ts";
import { type InstalledEngine, installedEngine, setupInvocation, setupWith } from "./libtensorflow.ts";
import { hasKernels, hasOutdatedKernels } from "./ownKernels.ts";

/** What a recipe's `device` may say. */
export type DeviceChoice = "auto" | "cpu" | "gpu";

/** The device in use. */
export type DeviceInfo = {
  kind: "cpu" | "gpu";
  /** The processor's or the GPU's name. */
  name: string;
  cores: number;
  /** libtensorflow's own version. */
  tensorflow: string;
  flavour: InstalledEngine["flavour"];
  library: string | undefined;
  /** Whether operations of our own take the place of several of TensorFlow's. */
  kernels: boolean;
  /** NVIDIA GPUs that the driver shows, used or not. */
  gpus: string[];
  /** For the caller to print, loudly: a GPU is there and idle, or the set-up is outdated; why, and what to do. */
  warning: string | undefined;
};

/**
 * Load the engine on the device that was asked for. `cpu` hides every GPU from the library, so it has to come before
 * anything else loads the engine.
 *
 * @throws UserError where `gpu` is asked for and not to be had, or the engine cannot be loaded
 */
export function selectDevice(choice: DeviceChoice): DeviceInfo {
  const hidden = process.env.CUDA_VISIBLE_DEVICES;
  if (choice === "cpu" && !isBackendLoaded()) process.env.CUDA_VISIBLE_DEVICES = "-1";
  const backend = loadBackend();
  const engine = installedEngine();
  const gpus = nvidiaGpus();
  const used = backend.isUsingGpuDevice;
  if (choice === "cpu" && used) throw new Error("selectDevice('cpu') came after the engine had been loaded on the GPU");
  const reason = used || choice === "cpu" ? undefined : whyNoGpu(gpus, hidden, engine?.cuda);
  if (choice === "gpu" && reason) {
    throw new UserError(`device: gpu was asked for, and there is none to use: ${reason.why}.`, { hint: reason.mend });
  }
  const processor = cpus()[0]?.model.trim() || process.arch;
  return {
    kind: used ? "gpu" : "cpu",
    name: used ? (gpus[0] ?? "GPU") : processor,
    cores: availableParallelism(),
    tensorflow: backend.binding.TF_Version,
    flavour: engine?.flavour ?? "unknown",
    library: engine?.library,
    kernels: hasKernels(),
    gpus,
    warning:
      reason && gpus.length > 0
        ? `${gpus.join(", ")} is here and NOT used; everything runs on the CPU: ${reason.why}. ${reason.mend} (device: cpu in the recipe says that this is meant.)`
        : hasOutdatedKernels()
          ? `The kernels of our own are of another version's set-up and NOT used; everything takes longer. Run: ${setupInvocation()}`
          : undefined,
  };
}

/** Why libtensorflow found no GPU, from what can be seen: the driver, the environment, the library's kind. */
export function whyNoGpu(
  gpus: string[],
  hidden: string | undefined,
  cuda: boolean | undefined,
): { why: string; mend: string } {
  if (gpus.length === 0) {
    return { why: "no NVIDIA GPU or driver is found", mend: "Install the NVIDIA driver, or use device: auto or cpu." };
  }
  if (hidden !== undefined && (hidden.trim() === "" || hidden.trim().startsWith("-"))) {
    return { why: `CUDA_VISIBLE_DEVICES="${hidden}" hides it`, mend: "Unset CUDA_VISIBLE_DEVICES." };
  }
  if (cuda === false) {
    return {
      why: "libtensorflow was set up without CUDA",
      mend: `Run: ${setupWith("--gpu")}.`,
    };
  }
  return {
    why: "libtensorflow could not load its CUDA libraries, or the driver is too old for CUDA 12.5",
    mend: `Update the driver to 525.60 or later, then run: ${setupWith("--gpu --force")}; TF_CPP_MIN_LOG_LEVEL=0 shows what the library says.`,
  };
}

/** Time a float32 matrix product on the device: `gflops` of the fastest of some rounds. Returns within about a second. */
export async function timeMatmul(kind: "cpu" | "gpu"): Promise<{ size: number; milliseconds: number; gflops: number }> {
  const size = kind === "gpu" ? 4096 : 1024;
  const [a, b] = tf.tidy(() => [tf.fill([size, size], 0.5), tf.fill([size, size], 2)] as const);
  let best = Number.POSITIVE_INFINITY;
  const begin = performance.now();
  for (let round = 0; round < 20 && (round < 3 || performance.now() - begin < 600); round++) {
    const start = performance.now();
    // One number read back: a GPU would otherwise still be at work when the clock is read.
    const corner = tf.tidy(() => tf.slice(tf.matMul(a, b), [size - 1, size - 1], [1, 1]));
    const value = (await corner.data())[0];
    corner.dispose();
    if (value !== size) throw new Error(`The device computes wrongly: ${value} in place of ${size}`);
    best = Math.min(best, performance.now() - start);
  }
  tf.dispose([a, b]);
  return { size, milliseconds: best, gflops: (2 * size ** 3) / best / 1e6 };
}
