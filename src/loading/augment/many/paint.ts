// The pixels of an image and its partners: what was drawn, done.

import type { Rgb } from "../../../data/image/decode.ts";
import type { MaskPixels } from "../../../instance/instance.ts";
import { changeImage } from "../apply.ts";
import { mirrorPixels } from "../geometry/pixels.ts";
import type { Area, Change } from "../step.ts";
import type { Act } from "./layers.ts";

/** What acts take from the sources, by their place: pixels, and the masks of some objects in a square that was made of them. */
export type Paints = {
  pixels(source: number): Rgb;
  masks(source: number, only: readonly number[], resize: Change): MaskPixels;
};

/** As `changeImage`: `mirrored` says whether the image is still to be mirrored. */
export function paint(acts: readonly Act[], { pixels, masks }: Paints): { image: Rgb; mirrored: boolean } {
  let now = pixels(0);
  let mirrored = false;
  const turned = (changes: readonly Change[]) => {
    const before: Change[] = mirrored ? [{ mirror: true }] : [];
    const changed = changeImage(now, [...before, ...changes]);
    [now, mirrored] = [changed.image, changed.mirrored];
  };
  const straight = () => {
    if (mirrored) [now, mirrored] = [mirrorPixels(now), false];
  };
  for (const act of acts) {
    if (act.kind === "change") {
      turned([act.change]);
      continue;
    }
    if (act.kind === "mosaic") {
      turned([act.cells[0]!.cut]);
      straight();
      const canvas = act.cells[0]!.onto.onto!;
      const data = new Uint8Array(3 * canvas.width * canvas.height);
      for (const { source, cut, onto } of act.cells)
        put(data, source === 0 ? now : changeImage(pixels(source), [cut]).image, onto.onto!);
      now = { data, width: canvas.width, height: canvas.height };
      continue;
    }
    straight();
    const other = changeImage(pixels(act.source), [act.resize]).image;
    now =
      act.kind === "mixup" ? mixed(now, other, act.share) : pasted(now, other, masks(act.source, act.only, act.resize));
  }
  return { image: now, mirrored };
}

function put(canvas: Uint8Array, { data, width, height }: Rgb, { left, top, width: across }: Area): void {
  for (let y = 0; y < height; y++)
    canvas.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * across + left));
}

/** Whole numbers of 256 parts. */
function mixed(own: Rgb, other: Rgb, share: number): Rgb {
  const [a, b] = [Math.round(256 * share), 256 - Math.round(256 * share)];
  const data = new Uint8Array(own.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (a * own.data[i]! + b * other.data[i]! + 128) >> 8;
  return { ...own, data };
}

/** The pixels of the other image wherever one of its masks is. */
function pasted(own: Rgb, other: Rgb, { size: [height, width], pixels }: MaskPixels): Rgb {
  const data = own.data.slice();
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] === 0) continue;
    const at = 3 * (i % (height * width));
    data[at] = other.data[at]!;
    data[at + 1] = other.data[at + 1]!;
    data[at + 2] = other.data[at + 2]!;
  }
  return { ...own, data };
}
