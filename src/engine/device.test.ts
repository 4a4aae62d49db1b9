import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { UserError } from "../util/errors.ts";
import { isEngineError, loadBackend } from "./backend.ts";
import { selectDevice, timeMatmul, whyNoGpu } from "./device.ts";
import { installedEngine } from "./libtensorflow.ts";

vi.mock("../../setup/machine.mjs", () => ({ nvidiaGpus: () => gpus }));
let gpus: string[] = [];
afterEach(() => {
  gpus = [];
});

beforeAll(() => {
  process.env.CUDA_VISIBLE_DEVICES = "-1"; // the tests below are about a machine whose GPU is not used
  loadBackend();
});

describe("the device", () => {
  test("is the CPU with all that a report wants to know, and no warning where there is no GPU", () => {
    const device = selectDevice("auto");
    expect(device).toMatchObject({ kind: "cpu", gpus: [], warning: undefined });
    expect(device.tensorflow).toMatch(/^2\./);
    expect(device.library).toMatch(/libtensorflow/);
    expect(device.cores).toBeGreaterThan(0);
  });

  test("gpu fails where there is none", () => {
    expect(() => selectDevice("gpu")).toThrow(UserError);
    expect(() => selectDevice("gpu")).toThrow(/no NVIDIA GPU or driver/);
  });

  test("a GPU that is there and not used is told loudly with the reason, unless the CPU was asked for", () => {
    gpus = ["NVIDIA H100"];
    expect(selectDevice("auto").warning).toMatch(
      /NVIDIA H100 is here and NOT used.*CUDA_VISIBLE_DEVICES="-1" hides it/,
    );
    expect(selectDevice("cpu").warning).toBeUndefined();
    expect(() => selectDevice("gpu")).toThrow(/hides it/);
  });

  test("each reason for an idle GPU has its own cure", () => {
    expect(whyNoGpu(["G"], "", undefined).mend).toMatch("Unset CUDA_VISIBLE_DEVICES");
    expect(whyNoGpu(["G"], undefined, false)).toMatchObject({ mend: expect.stringMatching(/setup.* --gpu/) });
    expect(whyNoGpu(["G"], "0", true).why).toMatch(/could not load its CUDA libraries/);
  });

  test("the timed matrix product computes rightly and leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const { gflops, size } = await timeMatmul("cpu");
    expect(size).toBe(1024);
    expect(gflops).toBeGreaterThan(0.1);
    expect(tf.memory().numTensors).toBe(before);
  });
});

test("the installed engine is described without loading it", () => {
  expect(installedEngine()).toMatchObject({ tfjs: "4.22.0", addon: expect.stringMatching(/tfjs_binding\.node$/) });
});

test("only errors of the engine offer its set-up", () => {
  expect(isEngineError(new UserError("The TensorFlow engine is not set up yet.", { code: "engine" }))).toBe(true);
  expect(isEngineError(new UserError("no such file"))).toBe(false);
  expect(isEngineError(new Error("The TensorFlow engine"))).toBe(false);
});
