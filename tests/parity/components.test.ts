import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { offsetUnit } from "../../src/architecture/facts.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { positionEmbeddings } from "../../src/model/backbone.ts";
import { sineEmbedding } from "../../src/model/decoder.ts";
import { postprocess } from "../../src/model/postprocess.ts";
import { proposalGrid } from "../../src/model/twoStage.ts";
import { deformableAttention, type MapSize } from "../../src/ops/deformable.ts";
import { valueAndGradients } from "../../src/ops/differentiable.ts";
import type { HostTensor } from "../../src/util/hostTensor.ts";
import { type Fixture, farthest, readFixture, values } from "./fixtures.ts";

type About = {
  deformableAttention: { levels: MapSize[]; heads: number; points: number };
  postprocess: { numSelect: number };
};

let fixture: Fixture<About>;
const host = (name: string) => fixture.tensor(name);
const onDevice = (tensor: HostTensor) => tf.tensor(values(tensor), tensor.shape);
const distance = (ours: tf.Tensor, name: string) => {
  expect(ours.shape, name).toEqual(host(name).shape);
  return farthest(ours.dataSync(), values(host(name)));
};

beforeAll(async () => {
  loadBackend();
  fixture = await readFixture<About>("components");
});

it("position embeddings are resized as the reference does, up and down", () => {
  const sizes = fixture.names.flatMap((name) => /from(\d+)to(\d+)$/.exec(name)?.slice(1).map(Number) ?? []);
  expect(sizes.length).toBeGreaterThan(0);
  for (let i = 0; i < sizes.length; i += 2) {
    const [from, to] = [sizes[i]!, sizes[i + 1]!];
    const table = onDevice(host(`position_embeddings.from${from}`));
    const { classToken, patches } = positionEmbeddings(table, from, [to, to]);
    const ours = tf.concat([classToken, tf.reshape(patches, [1, to * to, -1])], 1);
    expect(distance(ours, `position_embeddings.from${from}to${to}`), `${from} to ${to}`).toBeLessThan(1e-5);
  }
});

it.each(["plain", "masked"])(
  "deformable attention over two levels has the reference's output and gradients (%s)",
  (tag) => {
    const { levels, heads, points } = fixture.about.deformableAttention;
    const get = (name: string) => onDevice(host(`deformable_attention.${name}`));
    const transposed = (x: tf.Tensor) => tf.transpose(x);
    const linear = (name: string) => ({
      weight: tf.variable(transposed(get(`weight.${name}.weight`))),
      bias: tf.variable(get(`weight.${name}.bias`)),
    });
    const weights = {
      samplingOffsets: linear("sampling_offsets"),
      attentionWeights: linear("attention_weights"),
      value: linear("value_proj"),
      output: linear("output_proj"),
    };
    const [query, references, memory] = ["query", "references", "memory"].map((name) => tf.variable(get(name)));
    const keep = tag === "masked" ? tf.sub(1, tf.expandDims(get("mask"), -1)) : undefined;
    const leaves = [
      query!,
      references!,
      memory!,
      ...Object.values(weights).flatMap(({ weight, bias }) => [weight, bias]),
    ];
    const { extra, gradients } = valueAndGradients(leaves, () => {
      const options = { mapSizes: levels, heads, points, offsetUnit: offsetUnit(points), keep };
      const out = deformableAttention(weights, query!, references!, memory!, options);
      return { loss: tf.sum(tf.mul(out, get("upstream"))) as tf.Scalar, extra: out };
    });
    expect(distance(extra, `deformable_attention.${tag}.out`)).toBeLessThan(1e-5);
    const names = ["query", "references", "memory"];
    for (const name of ["sampling_offsets", "attention_weights", "value_proj", "output_proj"])
      names.push(`${name}.weight`, `${name}.bias`);
    for (const [i, name] of names.entries()) {
      const ours = name.endsWith("weight") ? transposed(gradients[i]!) : gradients[i]!;
      expect(distance(ours, `deformable_attention.${tag}.grad.${name}`), name).toBeLessThan(1e-4);
    }
  },
);

it("proposals near the border of a map of 54 columns are left out", () => {
  const { proposals, valid } = proposalGrid([[2, 54]], 1);
  expect(farthest(proposals, values(host("proposals.wide.proposals")))).toBeLessThan(1e-7);
  expect([...valid]).toEqual([...values(host("proposals.wide.memory"))]);
  expect([...valid].filter((v) => v === 0)).toHaveLength(4);
});

it("proposals of padded images lie in the picture and are scaled to it", () => {
  const keep = values(host("proposals.padded.mask")).map((v) => 1 - v);
  const padding = { rows: [[8, 4], [5, 2]], columns: [[6, 3], [4, 2]], keep }; // biome-ignore format: by image and level
  const sizes: MapSize[] = [[8, 6], [4, 3]]; // biome-ignore format: short
  const { proposals, valid } = proposalGrid(sizes, 2, padding);
  expect(farthest(proposals, values(host("proposals.padded.proposals")))).toBeLessThan(1e-7);
  expect([...valid]).toEqual([...values(host("proposals.padded.memory"))]);
});

it.each([32, 256])("the sine embedding of boxes is the reference's (half of %i numbers a coordinate)", (dim) => {
  const ours = sineEmbedding(onDevice(host("sine.boxes")), dim / 2);
  expect(distance(ours, `sine.dim${dim}`)).toBeLessThan(1e-5);
});

it("postprocessing gives the reference's scores, labels and pixel boxes", async () => {
  const sizes = values(host("postprocess.sizes"));
  const found = await postprocess(
    {
      logits: onDevice(host("postprocess.logits")) as tf.Tensor3D,
      boxes: onDevice(host("postprocess.boxes")) as tf.Tensor3D,
    },
    [0, 1].map((i) => [sizes[2 * i]!, sizes[2 * i + 1]!] as const),
    fixture.about.postprocess.numSelect,
  );
  for (const [i, { boxes, scores, labels }] of found.entries()) {
    expect(farthest(scores, values(host(`postprocess.${i}.scores`)))).toBeLessThan(1e-6);
    expect([...labels]).toEqual([...values(host(`postprocess.${i}.labels`))]);
    expect(farthest(boxes, values(host(`postprocess.${i}.boxes`)))).toBeLessThan(1e-3);
  }
});
