import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { lossFixtures, lossOf, readLossFixture } from "../../tests/support/loss.ts";
import { loadBackend } from "../engine/backend.ts";
import type { Target } from "../instance/instance.ts";
import type { Detections } from "../model/rfdetr.ts";
import { type StateDict, toFloat32 } from "../util/hostTensor.ts";
import { match } from "./matcher.ts";

const NAMES = lossFixtures();

/** What the reference computed in one case; made by scripts/fixtures/make-loss-fixtures.py. */
async function load(name: string) {
  const { tensors } = await readLossFixture(name);
  const [groups, layers, batch] = toFloat32(tensors.get("meta")!) as unknown as [number, number, number];
  const outputs = [...Array.from({ length: layers }, (_, i) => `out${i}`), "enc"];
  const targets = Array.from({ length: batch }, (_, i): Target => {
    const labels = Int32Array.from(values(tensors, `target${i}_labels`));
    return { boxes: values(tensors, `target${i}_boxes`), labels };
  });
  const inputs = outputs.flatMap((key) =>
    ["logits", "boxes"].map((what) => {
      const { shape } = tensors.get(`${key}_${what}`)!;
      return tf.tensor3d(values(tensors, `${key}_${what}`), shape as [number, number, number]);
    }),
  );
  return { tensors, groups, layers, outputs, targets, inputs };
}

const values = (tensors: StateDict, name: string) => toFloat32(tensors.get(name)!);

function detections(inputs: tf.Tensor[]): Detections {
  const outputs = inputs.flatMap((logits, i) =>
    i % 2 ? [] : [{ logits: logits as tf.Tensor3D, boxes: inputs[i + 1] as tf.Tensor3D }],
  );
  return { layers: outputs.slice(0, -1), encoder: outputs.at(-1)! };
}

function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < theirs.length; i++) {
    error += (ours[i]! - theirs[i]!) ** 2;
    norm += theirs[i]! ** 2;
  }
  return Math.sqrt(error) / (Math.sqrt(norm) || 1);
}

beforeAll(() => {
  loadBackend();
});

describe("match", () => {
  it.each(NAMES)("pairs queries and targets as the reference: %s", async (name) => {
    const { tensors, groups, outputs, targets, inputs } = await load(name);
    const { layers, encoder } = detections(inputs);
    const all = [...layers, encoder];
    const logits = tf.concat3d(all.map((o) => o.logits), 1); // biome-ignore format: one line
    const boxes = tf.concat3d(all.map((o) => o.boxes), 1); // biome-ignore format: one line
    const found = match({ logits, boxes, queries: all.map((o) => o.logits.shape[1]) }, targets, groups);
    for (const output of outputs.keys()) {
      for (const image of targets.keys()) {
        const ours = found[output]![image]!;
        expect([...ours.queries, ...ours.targets]).toEqual([...values(tensors, `match_${output}_${image}`)]);
      }
    }
    tf.dispose([inputs, logits, boxes]);
  });

  it("says which label is no class, and which number of queries cannot be split", () => {
    const output = { logits: tf.zeros([1, 4, 3]) as tf.Tensor3D, boxes: tf.ones([1, 4, 4]) as tf.Tensor3D };
    const target = { boxes: Float32Array.of(0.5, 0.5, 1, 1), labels: Int32Array.of(3) };
    expect(() => match({ ...output, queries: [4] }, [target], 2)).toThrow("Label 3 is outside the model's 3 classes");
    expect(() => match({ ...output, queries: [4] }, [target], 3)).toThrow("4 queries cannot be split into 3 groups");
    tf.dispose(output);
  });
});

describe("criterion", () => {
  it.each(NAMES.filter((name) => name !== "nonfinite_costs"))("equals the reference: %s", async (name) => {
    const { tensors, groups, outputs, targets, inputs } = await load(name);
    const before = tf.memory().numTensors;
    const { loss, terms } = lossOf(detections(inputs), targets, { groups });
    const expected = [...tensors].flatMap(([key, value]) =>
      key.startsWith("term_") ? [[key.slice(5), value] as const] : [],
    );
    expect(new Set(Object.keys(terms))).toEqual(new Set(expected.map(([key]) => key)));
    for (const [key, value] of expected) {
      const [ours, theirs] = [terms[key]!.dataSync()[0]!, toFloat32(value)[0]!];
      expect(Math.abs(ours - theirs), `${key}: ${ours} and ${theirs}`).toBeLessThanOrEqual(1e-5 * Math.abs(theirs));
    }
    const total = values(tensors, "total")[0]!;
    expect(Math.abs(loss.dataSync()[0]! - total)).toBeLessThan(1e-5 * total);

    const gradients = tf.grads((...x: tf.Tensor[]) => lossOf(detections(x), targets, { groups }).loss)(inputs);
    for (const [i, gradient] of gradients.entries()) {
      const key = `${outputs[i >> 1]}_${i % 2 ? "boxes" : "logits"}`;
      expect(relativeError(gradient.dataSync(), values(tensors, `grad_${key}`)), key).toBeLessThan(1e-5);
    }
    tf.dispose([gradients, loss, terms]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(inputs);
  });

  it("runs inside variableGrads", async () => {
    const { groups, targets, inputs } = await load("train");
    const scale = tf.variable(tf.scalar(1.01), true);
    const { value, grads } = tf.variableGrads(() => {
      const scaled = detections(inputs.map((x) => tf.mul(x, scale)));
      return lossOf(scaled, targets, { groups }).loss;
    });
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    expect(Object.values(grads)[0]!.dataSync()[0]).not.toBe(0);
    tf.dispose([value, grads, scale, inputs]);
  });

  it("gives the losses of a batch as the sum over its parts, with the batch's number of boxes", async () => {
    const { groups, targets, inputs } = await load("train");
    const whole = lossOf(detections(inputs), targets, { groups });
    const boxCount = groups * targets.reduce((sum, { labels }) => sum + labels.length, 0);
    let sum = 0;
    for (const [i, target] of targets.entries()) {
      const part = inputs.map((x) => tf.slice(x, [i, 0, 0], [1, -1, -1]));
      const { loss } = lossOf(detections(part), [target], { groups, boxCount });
      sum += loss.dataSync()[0]!;
    }
    expect(sum).toBeCloseTo(whole.loss.dataSync()[0]!, 4);
  });
});
