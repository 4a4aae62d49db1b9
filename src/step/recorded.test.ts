// Steps that are recorded and replayed do the same as those that run operation by operation, to the byte.

import { beforeAll, expect, test } from "vitest";
import { noiseBatch, TINY, TINY_SEGMENTER, tinyLearner, withMasks } from "../../tests/tinyModel.ts";
import { loadBackend } from "../engine/backend.ts";
import { hasKernels } from "../engine/ownKernels.ts";
import { recordingBinding } from "../engine/recording/kernels.ts";
import { createRecorder, type Recorder } from "../engine/recording/recorder.ts";
import type { Batch } from "../loading/batch/batch.ts";
import { blockRates } from "./dropPath.ts";
import { disposeLearner, type Learner, learnerTensors } from "./learner.ts";
import { type StepSettings, trainStep } from "./step.ts";

let missing = false;
beforeAll(() => {
  loadBackend();
  missing = recordingBinding() === undefined;
});

const settings: StepSettings = { clipMaxNorm: 0.1, ema: { decay: 0.99, tau: 10 }, accumulation: "whole" };

/** The steps from `from` to `to` with the rates of a schedule; what they come to. */
async function steps(
  learner: Learner,
  more: Partial<StepSettings>,
  {
    from = 0,
    to,
    padded = false,
    batches = 1,
    masks = false,
  }: { from?: number; to: number; padded?: boolean; batches?: number; masks?: boolean },
) {
  const results = [];
  for (let step = from; step < to; step++) {
    const side = TINY.resolution;
    const mask = new Uint8Array(2 * side * side).fill(1, side * side + (side / 2) * side);
    const given = Array.from({ length: batches }, (_, i) => ({
      ...(masks ? withMasks : (batch: Batch) => batch)(noiseBatch(10 * step + i, 2)),
      ...(padded && { mask }),
    }));
    const rateFactor = 1 / (step + 1);
    const { histograms, ...result } = await trainStep(
      learner,
      { ...settings, ...more },
      { batches: given, rateFactor, step },
    );
    expect(result.problem).toBeNull();
    results.push({ ...result, histograms: histograms && [...histograms] });
  }
  return results;
}

async function everything(learner: Learner): Promise<Map<string, string>> {
  const { model, ema, optimizer } = await learnerTensors(learner);
  const parts = Object.entries({ model, ema: ema!, optimizer });
  return new Map(
    parts.flatMap(([part, state]) =>
      [...state].map(([name, { bytes }]) => [`${part} ${name}`, Buffer.from(bytes).toString("base64")] as const),
    ),
  );
}

const CASES: [string, Partial<StepSettings>, { padded?: boolean; batches?: number; frozen?: boolean; to?: number; masks?: boolean }][] = [
  ["as it is", {}, {}],
  ["with accumulation, and histograms of the gradients", { histogramsEvery: 2 }, { batches: 2 }],
  ["with gradient checkpointing and dropped blocks", { checkpointing: "all", dropPath: { rates: blockRates(0.5, TINY), seed: 1 } }, {}],
  ["of padded images, with a frozen encoder", {}, { padded: true, frozen: true }],
  ["in bfloat16", { precision: "bf16" }, {}],
  ["in bfloat16, with gradient checkpointing and accumulation", { precision: "bf16", checkpointing: "all" }, { batches: 2 }],
  ["of a segmenter", {}, { masks: true }],
  ["of a segmenter, in bfloat16, with gradient checkpointing and several sizes", { precision: "bf16", checkpointing: "all", sides: [32, 64] }, { masks: true, to: 7 }],
  ["of several sizes", { sides: [TINY.resolution, 2 * TINY.resolution] }, { to: 7 }],
]; // biome-ignore format: a case a line

test.each(CASES)("replayed steps give the same bytes: %s", async (_, more, { frozen = false, ...rest }) => {
  if (missing) return;
  const outcomes = [];
  for (const recorder of [undefined, createRecorder({ operations: 150 })]) {
    const learner = tinyLearner({ freezeEncoder: frozen }, rest.masks ? TINY_SEGMENTER : TINY);
    const results = await steps(learner, { ...more, recorder }, { to: 5, ...rest });
    if (rest.masks) expect(results[0]!.terms.loss_mask_ce_enc).toBeGreaterThan(0);
    outcomes.push({ results, all: await everything(learner) });
    disposeLearner(learner);
    const optimiser = hasKernels() ? [] : ["update", "average"]; // else they are a pass each already
    if (recorder) requireReplays(recorder, ["network", "loss", "numbers", ...optimiser]);
    recorder?.dispose();
  }
  expect(outcomes[1]!.results).toEqual(outcomes[0]!.results);
  for (const [name, bytes] of outcomes[0]!.all) expect(outcomes[1]!.all.get(name) === bytes, name).toBe(true);
});

/** Every stage was replayed, and none was refused. */
function requireReplays(recorder: Recorder, stages: string[]) {
  const news = recorder
    .news()
    .map(({ text }) => text)
    .join("\n");
  expect(news).not.toMatch(/not recorded/);
  for (const stage of stages) expect(news).toContain(`The stage ${stage} is replayed`);
}

test("steps that are fused by XLA come to the same within rounding", async () => {
  if (missing) return;
  const recorder = createRecorder({ xla: true, operations: 150 });
  const frozen = { freezeEncoder: true }; // less to compile
  const [plain, fused] = [tinyLearner(frozen), tinyLearner(frozen)];
  const expected = await steps(plain, {}, { to: 4 });
  const results = await steps(fused, { recorder }, { to: 4 });
  requireReplays(recorder, ["network", "loss", "numbers"]);
  for (const [i, { loss, terms, gradNorm }] of results.entries()) {
    const tolerance = i === 0 ? 1e-5 : 1e-3;
    for (const [name, value] of Object.entries({ loss, gradNorm, ...terms })) {
      const of = { loss: expected[i]!.loss, gradNorm: expected[i]!.gradNorm, ...expected[i]!.terms }[name]!;
      expect(Math.abs(value - of), name).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(of)));
    }
  }
  recorder.dispose();
  for (const learner of [plain, fused]) disposeLearner(learner);
}, 300_000);
