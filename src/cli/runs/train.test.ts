import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { MetricsRow, TrainEvent, TrainRow, ValRow } from "../../run/events.ts";
import { showProgress } from "./train.ts";

let out: string;
let err: string;
beforeEach(() => {
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out += chunk;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    err += chunk;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const row = (step: number): TrainRow => ({
  ...{ step, epoch: 0, split: "train", loss: 9.5, class_error: 90, grad_norm: 3, lr: 1e-4, lr_encoder: 1e-4 },
  ...{ images_per_second: 12, data_wait: 0.25 },
});
const evaluation: ValRow = {
  ...{ step: 2, epoch: 0, split: "val", "AP50:95": 0.123, AP50: 0.4, AP75: null, AR: 0.2 },
  per_class: { tree: 0.123 },
};

/** A run of two steps and one evaluation, without a model. */
function run(status: "done" | "interrupted") {
  return async function* ({ onEvent }: { onEvent: (event: TrainEvent) => void }): AsyncGenerator<MetricsRow> {
    const size = { epochs: 1, stepsPerEpoch: 2, totalSteps: 2, stepsDone: 0, imagesPerStep: 4 };
    onEvent({ type: "start", run: "checkpoints/x", facts: [{ name: "Device", value: "cpu" }], size });
    for (const step of [1, 2]) onEvent({ type: "step", row: row(step) });
    onEvent({ type: "row", row: row(2) });
    yield row(2);
    onEvent({ type: "evaluating", epoch: 0, images: 9 });
    onEvent({ type: "row", row: evaluation });
    yield evaluation;
    onEvent({ type: "warning", message: "careful" });
    onEvent({ type: "checkpoint", name: "0000-2", best: true });
    onEvent({ type: "end", status, run: "checkpoints/x", step: 2, best: 0.123, metric: "AP50:95" });
  };
}

it("without a terminal a run is a plain line for its first and last step, and what else happens", async () => {
  await showProgress({ json: false }, run("done"));
  expect(out.split("\n")).toEqual([
    "Device: cpu",
    "Run: checkpoints/x",
    expect.stringMatching(/^epoch 1\/1 {2}step 1\/2 {2}loss 9.500 {2}lr 1.00e-4 {2}12.0 img\/s {2}wait 25% {2}\d+ MB/),
    expect.stringContaining("step 2/2"),
    "Evaluating 9 images after epoch 1 ...",
    "Epoch 1, step 2: AP50:95 0.123  AP50 0.400  AP75 -  AR 0.200",
    "Warning: careful",
    "Saved checkpoint 0000-2, the best so far",
    "Done after 2 steps, best AP50:95 0.123. Everything is in checkpoints/x",
    "What next?",
    "  Open checkpoints/x/report.html in a browser",
    "  rfdetr-train predict --weights checkpoints/x --images PHOTOS",
    "  rfdetr-train extend checkpoints/x --epochs 2",
    "",
  ]);
  expect(process.exitCode).toBeUndefined();
});

it("with --json standard output holds one object and nothing else", async () => {
  await showProgress({ json: true }, run("done"));
  expect(JSON.parse(out)).toEqual({
    ...{ status: "done", run: "checkpoints/x", step: 2, best: 0.123, metric: "AP50:95" },
    metrics: evaluation,
  });
  expect(err).toContain("step 2/2");
});

it("a run that was stopped says how to go on, with exit code 3", async () => {
  await showProgress({ json: false }, run("interrupted"));
  expect(out).toContain("Stopped after step 2. Continue with: rfdetr-train resume checkpoints/x");
  expect(process.exitCode).toBe(3);
});
