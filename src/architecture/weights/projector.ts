// The weights of the projector: of each level what brings the maps to its size, then what fuses them.

import { BOTTLENECKS } from "../facts.ts";
import type { Architecture, ProjectorScale } from "../variants.ts";
import { type Line, normEntries, tensorEntry } from "./entry.ts";

/** Resampling factor of each level relative to the encoder's feature maps. */
const SCALE_FACTOR: Record<ProjectorScale, number> = { P3: 2, P4: 1, P5: 0.5, P6: 0.25 };

export function projectorWeights({ encoder, outFeatureIndexes, projectorScale, hiddenDim }: Architecture): Line[] {
  const width = encoder.hiddenSize;
  const maps = outFeatureIndexes.length;
  const levels = projectorScale.filter((scale) => scale !== "P6");
  return [
    ...levels.flatMap((scale, i) =>
      Array.from({ length: maps }, (_, map) => map).flatMap((map) =>
        sampling(scale, {
          path: `projector.levels.${i}.sampling.${map}`,
          reference: `backbone.0.projector.stages_sampling.${i}.${map}.0`,
          width,
        }),
      ),
    ),
    ...levels.flatMap((scale, i) => fusion(i, hiddenDim, maps * Math.floor(width / Math.max(1, SCALE_FACTOR[scale])))),
  ];
}

function sampling(
  scale: ProjectorScale,
  { path, reference, width }: { path: string; reference: string; width: number },
): Line[] {
  if (scale === "P5") return convNorm(path, reference, { out: width, input: width, kernel: 3 });
  if (scale !== "P3") return [];
  const shape = [width, width / 2, 2, 2];
  const init = { kind: "uniform", fanIn: (width / 2) * 4 } as const;
  return [
    tensorEntry(`${path}.weight`, `${reference}.weight`, shape, init, { layout: "convTranspose" }),
    tensorEntry(`${path}.bias`, `${reference}.bias`, [width / 2], init),
  ];
}

function fusion(i: number, dim: number, input: number): Line[] {
  const path = `projector.levels.${i}`;
  const reference = `backbone.0.projector.stages.${i}`;
  const half = dim / 2;
  const fused = (2 + BOTTLENECKS) * half;
  return [
    ...convNorm(`${path}.fuse.input`, `${reference}.0.cv1`, { out: dim, input, kernel: 1 }),
    ...convNorm(`${path}.fuse.output`, `${reference}.0.cv2`, { out: dim, input: fused, kernel: 1 }),
    ...Array.from({ length: BOTTLENECKS }, (_, j) => j).flatMap((j) =>
      [0, 1].flatMap((k) =>
        convNorm(`${path}.fuse.bottlenecks.${j}.${k}`, `${reference}.0.m.${j}.cv${k + 1}`, {
          ...{ out: half, input: half, kernel: 3 },
        }),
      ),
    ),
    ...normEntries(`${path}.norm`, `${reference}.1`, dim),
  ];
}

function convNorm(
  path: string,
  reference: string,
  { out, input, kernel }: { out: number; input: number; kernel: number },
): Line[] {
  const init = { kind: "uniform", fanIn: input * kernel * kernel } as const;
  return [
    tensorEntry(`${path}.conv`, `${reference}.conv.weight`, [out, input, kernel, kernel], init, { layout: "conv" }),
    ...normEntries(`${path}.norm`, `${reference}.bn`, out),
  ];
}
