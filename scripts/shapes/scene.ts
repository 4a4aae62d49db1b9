// A synthetic scene: shapes of several classes, some before others, on a patterned ground with lines and specks that belong to no class.

import { type Rng, rngFromSeed } from "../../src/util/random/rng.ts";
import { CLASSES, OUTLINES, type Outline } from "./outlines.ts";
import { anyColour, colourBeside, ground, type Paint, surface } from "./paint.ts";

/** Side of a scene in pixels. */
export const SIDE = 128;
const MOST_OBJECTS = 16;
const [SMALLEST, LARGEST] = [4, 30]; // radius in pixels
const LEAST_SEEN = 0.35; // a shape of which less is seen than this part is no object
const LEAST_PIXELS = 12;
const SAMPLES = 3; // a side of a pixel, for its edge

/** `mask` [SIDE, SIDE]: 1 where the object is seen; `box`: xyxy in pixels, around it. */
export type SceneObject = { label: number; box: [number, number, number, number]; mask: Uint8Array };

/** `pixels` [SIDE, SIDE, 3]. */
export type Scene = { pixels: Uint8Array; objects: SceneObject[] };

/** The scene of a seed and a number; the same on every machine whose `Math` rounds alike. */
export function drawScene(seed: number, index: number): Scene {
  const rng = rngFromSeed(seed, index);
  const base = anyColour(rng);
  const canvas = new Float32Array(SIDE * SIDE * 3);
  paintAll(canvas, ground(rng, base));
  scatter(rng, canvas);
  const count = 1 + Math.floor((MOST_OBJECTS - 1) * rng.uniform() ** 1.5);
  const drawn: (Drawn & { label: number })[] = [];
  const spread = rng.uniform() < 0.3 ? 0.5 : 1; // some scenes are crowded
  for (let i = 0; i < count; i++) {
    const label = rng.int(CLASSES.length);
    const outline = OUTLINES[CLASSES[label]!]!(rng);
    const radius = SMALLEST * (LARGEST / SMALLEST) ** rng.uniform();
    const [x, y] = [rng.uniform(), rng.uniform()].map((at) => SIDE * (0.5 + spread * (at - 0.5)));
    const place = { x: x!, y: y!, radius, turn: 2 * Math.PI * rng.uniform(), squeeze: 0.75 + 0.5 * rng.uniform() };
    if (rng.uniform() < 0.4) shade(canvas, coverage(outline, { ...place, x: x! + 2, y: y! + 2 }), 0.6);
    const paint = surface(rng, colourBeside(rng, base));
    const shape = coverage(outline, place);
    lay(canvas, shape, paint);
    for (const other of drawn) for (let p = 0; p < shape.mask.length; p++) if (shape.mask[p]) other.mask[p] = 0;
    drawn.push({ ...shape, label });
  }
  finish(rng, canvas);
  return { pixels: Uint8Array.from(canvas, (v) => Math.max(0, Math.min(255, Math.round(v)))), objects: seen(drawn) };
}

type Place = { x: number; y: number; radius: number; turn: number; squeeze: number };
/** How much of each pixel a shape covers, whether that is half of it, and how many pixels it has were it not cut or covered. */
type Drawn = { cover: Float32Array; mask: Uint8Array; whole: number };

function coverage(outline: Outline, { x, y, radius, turn, squeeze }: Place): Drawn {
  const cover = new Float32Array(SIDE * SIDE);
  const mask = new Uint8Array(SIDE * SIDE);
  const [c, s] = [Math.cos(turn) / radius, Math.sin(turn) / radius];
  const reach = radius * Math.max(1, squeeze) * 1.3 + 1;
  let whole = 0;
  for (let row = Math.floor(y - reach); row <= y + reach; row++) {
    for (let column = Math.floor(x - reach); column <= x + reach; column++) {
      let hits = 0;
      for (let k = 0; k < SAMPLES * SAMPLES; k++) {
        const [dx, dy] = [
          column + ((k % SAMPLES) + 0.5) / SAMPLES - x,
          row + (Math.floor(k / SAMPLES) + 0.5) / SAMPLES - y,
        ];
        if (outline(c * dx + s * dy, (c * dy - s * dx) / squeeze)) hits++;
      }
      const half = 2 * hits > SAMPLES * SAMPLES;
      if (half) whole++;
      if (hits === 0 || row < 0 || column < 0 || row >= SIDE || column >= SIDE) continue;
      cover[row * SIDE + column] = hits / (SAMPLES * SAMPLES);
      mask[row * SIDE + column] = half ? 1 : 0;
    }
  }
  return { cover, mask, whole };
}

function paintAll(canvas: Float32Array, paint: Paint): void {
  for (let i = 0; i < SIDE * SIDE; i++) {
    const colour = paint(i % SIDE, Math.floor(i / SIDE));
    for (let k = 0; k < 3; k++) canvas[3 * i + k] = colour[k]!;
  }
}

function lay(canvas: Float32Array, { cover }: Pick<Drawn, "cover">, paint: Paint): void {
  for (let i = 0; i < cover.length; i++) {
    const part = cover[i]!;
    if (part === 0) continue;
    const colour = paint(i % SIDE, Math.floor(i / SIDE));
    for (let k = 0; k < 3; k++) canvas[3 * i + k]! += part * (colour[k]! - canvas[3 * i + k]!);
  }
}

function shade(canvas: Float32Array, { cover }: Drawn, strength: number): void {
  for (let i = 0; i < cover.length; i++)
    if (cover[i]! > 0) for (let k = 0; k < 3; k++) canvas[3 * i + k]! *= 1 - (1 - strength) * cover[i]!;
}

/** Lines and specks, so that not everything that has an edge is an object. */
function scatter(rng: Rng, canvas: Float32Array): void {
  for (let n = rng.int(7); n > 0; n--) {
    const [colour, line] = [anyColour(rng), rng.uniform() < 0.5];
    const [x, y, turn] = [SIDE * rng.uniform(), SIDE * rng.uniform(), Math.PI * rng.uniform()];
    const [length, width] = line
      ? [20 + 100 * rng.uniform(), 0.5 + rng.uniform()]
      : [1 + rng.uniform(), 1 + rng.uniform()];
    const [c, s] = [Math.cos(turn), Math.sin(turn)];
    const cover = new Float32Array(SIDE * SIDE);
    for (let i = 0; i < cover.length; i++) {
      const [dx, dy] = [(i % SIDE) - x, Math.floor(i / SIDE) - y];
      if (Math.abs(c * dx + s * dy) < length && Math.abs(c * dy - s * dx) < width) cover[i] = 0.8;
    }
    lay(canvas, { cover }, () => colour);
  }
}

/** Some scenes are soft; all have noise and a brightness of their own. */
function finish(rng: Rng, canvas: Float32Array): void {
  if (rng.uniform() < 0.3) {
    const before = canvas.slice();
    for (let y = 1; y < SIDE - 1; y++)
      for (let i = 3 * (y * SIDE + 1); i < 3 * (y * SIDE + SIDE - 1); i++) {
        const around = before[i - 3]! + before[i + 3]! + before[i - 3 * SIDE]! + before[i + 3 * SIDE]!;
        canvas[i] = (4 * before[i]! + around) / 8;
      }
  }
  const [noisy, bright, contrast] = [10 * rng.uniform(), 40 * (rng.uniform() - 0.5), 0.7 + 0.5 * rng.uniform()];
  for (let i = 0; i < canvas.length; i++)
    canvas[i] = 128 + contrast * (canvas[i]! - 128) + bright + noisy * rng.normal();
}

/** Shapes of which enough is seen, with the box around what is seen. */
function seen(drawn: readonly (Drawn & { label: number })[]): SceneObject[] {
  return drawn.flatMap(({ label, mask, whole }) => {
    let [left, top, right, bottom, pixels] = [SIDE, SIDE, 0, 0, 0];
    for (let i = 0; i < mask.length; i++) {
      if (!mask[i]) continue;
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom, pixels] = [Math.max(right, x + 1), Math.max(bottom, y + 1), pixels + 1];
    }
    return pixels < LEAST_PIXELS || pixels < LEAST_SEEN * whole
      ? []
      : [{ label, mask, box: [left, top, right, bottom] }];
  });
}
