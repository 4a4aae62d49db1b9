import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readLossFixture } from "../../../tests/support/loss.ts";
import { collect, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { ValRow } from "../../run/events.ts";
import { toFloat32 } from "../../util/hostTensor.ts";
import { train } from "../run.ts";
import { validationLoss } from "./validationLoss.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "validation-loss-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("the loss of a batch and its terms are those of the reference's criterion in evaluation", async () => {
  const { tensors } = await readLossFixture("evaluation");
  const values = (name: string) => toFloat32(tensors.get(name)!);
  const tensor = (name: string) => tf.tensor3d(values(name), tensors.get(name)!.shape as [number, number, number]);
  const [groups, layers, images] = values("meta") as unknown as [number, number, number];
  expect(groups).toBe(1);
  const output = (name: string) => ({ logits: tensor(`${name}_logits`), boxes: tensor(`${name}_boxes`) });
  const outputs = { layers: Array.from({ length: layers }, (_, i) => output(`out${i}`)), encoder: output("enc") };
  const targets = Array.from({ length: images }, (_, i) => {
    return { boxes: values(`target${i}_boxes`), labels: Int32Array.from(values(`target${i}_labels`)) };
  });
  const { numTensors } = tf.memory();
  const loss = validationLoss(layers);
  loss.add(await loss.of(outputs, targets, 0));
  expect(tf.memory().numTensors).toBe(numTensors);
  const means: Record<string, number | null> = loss.means();
  const terms = [...tensors.keys()].filter((name) => name.startsWith("term_loss"));
  expect(Object.keys(means).length).toBe(1 + terms.length);
  for (const name of terms) {
    const wanted = values(name)[0]!;
    expect(Math.abs(means[`val_${name.slice(5)}`]! - wanted), name).toBeLessThanOrEqual(1e-5 * Math.abs(wanted));
  }
  const total = values("total")[0]!;
  expect(Math.abs(means.val_loss! - total)).toBeLessThan(1e-5 * total);
  tf.dispose(outputs);
});

test("batches count by their images, and where there was none there is no loss", async () => {
  const random = (shape: [number, number, number], seed: number) =>
    tf.randomUniform<tf.Rank.R3>(shape, 0.2, 0.6, "float32", seed);
  const batch = (images: number, seed: number) => {
    const output = (i: number) => ({
      logits: random([images, 6, 3], seed + i),
      boxes: random([images, 6, 4], seed - i),
    });
    const target = { boxes: Float32Array.of(0.5, 0.5, 0.2, 0.3), labels: Int32Array.of(1) };
    return { outputs: { layers: [output(1), output(2)], encoder: output(3) }, targets: Array(images).fill(target) };
  };
  const batches = [batch(3, 10), batch(1, 20)];
  const of = async (chosen: typeof batches) => {
    const loss = validationLoss(2);
    for (const { outputs, targets } of chosen) loss.add(await loss.of(outputs, targets, 0));
    return loss.means().val_loss!;
  };
  const [first, second] = [await of(batches.slice(0, 1)), await of(batches.slice(1))];
  expect(await of(batches)).toBeCloseTo((3 * first + second) / 4, 6);
  expect(validationLoss(2).means().val_loss).toBeNull();
  tf.dispose(batches.map(({ outputs }) => outputs));
});

test("a run's evaluations have the loss, and results.csv has it; eval.loss: false leaves it out", async () => {
  const evaluated = async (loss: boolean) => {
    const run = join(dir, `loss-${loss}`);
    const { rows } = await collect((options) =>
      train(tinyRecipe(join(dir, "data"), { train: { max_steps: 1 }, eval: { loss } }), { run, ...options }),
    );
    const [header] = (await readFile(join(run, "results.csv"), "utf8")).split("\n");
    return { header, rows: rows.filter((row): row is ValRow => row.split === "val") };
  };
  const [having, without] = [await evaluated(true), await evaluated(false)];
  expect(having.rows[0]!.val_loss).toBeGreaterThan(0);
  expect(having.rows[0]!.val_loss_giou_enc).toBeGreaterThan(0);
  expect(having.header).toContain("val/recall,val/val_loss,val/val_loss_ce,");
  const stripped = having.rows.map((row) => Object.entries(row).filter(([name]) => !/^val_loss|^time$/.test(name)));
  expect(without.rows.map((row) => Object.entries(row).filter(([name]) => name !== "time"))).toEqual(stripped);
});
