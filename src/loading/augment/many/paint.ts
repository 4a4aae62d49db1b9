// The pixels of an image and its partners: what was drawn, done.

import type { Rgb } from "../../../data/image/decode.ts";
import { resizeOnto } from "../../../data/image/resize.ts";
import { giveBytes, takeBytes } from "../../../util/arrays/spareBytes.ts";
import { changeImage } from "../apply.ts";
import { mirrorPixels } from "../geometry/pixels.ts";
import type { Area, Change } from "../step.ts";
import type { Act } from "./layers.ts";

/** What acts take from the sources, by their place: pixels, and the masks of some objects together in a square that was made of them. */
export type Paints = {
  pixels(source: number): Rgb;
  masks(source: number, only: readonly number[], resize: Change): Uint8Array;
};

/** As `changeImage`: `mirrored` says whether the image is still to be mirrored. */
export function paint(acts: readonly Act[], { pixels, masks }: Paints): { image: Rgb; mirrored: boolean } {
  let now = pixels(0);
  let mirrored = false;
  const become = (next: Rgb) => {
    if (next.data !== now.data) letGo(now, pixels(0));
    now = next;
  };
  const turned = (changes: readonly Change[]) => {
    const before: Change[] = mirrored ? [{ mirror: true }] : [];
    const changed = changeImage(now, [...before, ...changes]);
    become(changed.image);
    mirrored = changed.mirrored;
  };
  const straight = () => {
    if (mirrored) become(mirrorPixels(now));
    mirrored = false;
  };
  for (const act of acts) {
    if (act.kind === "change") {
      turned([act.change]);
      continue;
    }
    if (act.kind === "mosaic") {
      turned([act.cells[0]!.cut]);
      straight();
      const { width, height } = act.cells[0]!.onto.onto!;
      const canvas = { data: takeBytes(3 * width * height), width, height }; // the cells leave nothing of it free
      for (const { source, cut, onto } of act.cells) {
        const own = { width: now.width, height: now.height }; // which is cut already
        const resize = source === 0 ? { ...own, cut: { left: 0, top: 0, ...own } } : { ...cut.resize!, cut: cut.cut! };
        resizeOnto(canvas, onto.onto!, source === 0 ? now : pixels(source), resize);
      }
      become(canvas);
      continue;
    }
    straight();
    if (now.data === pixels(0).data) now = { ...now, data: now.data.slice() }; // which others may take
    if (act.kind === "mixup") {
      const other = changeImage(pixels(act.source), [act.resize]).image;
      mix(now.data, other.data, act.share);
      letGo(other, pixels(act.source));
    } else {
      const mask = masks(act.source, act.only, act.resize);
      paste(now, pixels(act.source), { mask, resize: act.resize });
      giveBytes(mask);
    }
  }
  return { image: now, mirrored };
}

/** Whoever needs memory may have that of an image, unless it is that of the file. */
function letGo(image: Rgb, file: Rgb): void {
  if (image.data !== file.data) giveBytes(image.data);
}

/** Whole numbers of 256 parts. */
function mix(own: Uint8Array, other: Uint8Array, share: number): void {
  const [a, b] = [Math.round(256 * share), 256 - Math.round(256 * share)];
  for (let i = 0; i < own.length; i++) own[i] = (a * own[i]! + b * other[i]! + 128) >> 8;
}

/** The pixels of the other image, as `resize` has it, wherever the mask is; no more of it is resized. */
function paste(own: Rgb, other: Rgb, { mask, resize }: { mask: Uint8Array; resize: Change }): void {
  const area = areaOf(mask, own.width);
  if (!area) return;
  const part = changeImage(other, [{ ...resize, cut: area }]).image;
  overRuns(mask, own.width, (row, first, end) => {
    let from = 3 * ((row - area.top) * part.width + first - area.left);
    for (let to = 3 * (row * own.width + first); to < 3 * (row * own.width + end); )
      own.data[to++] = part.data[from++]!;
  });
  letGo(part, other);
}

/** The rectangle around all that is 1. */
function areaOf(mask: Uint8Array, width: number): Area | undefined {
  let [left, top, right, bottom] = [width, -1, 0, 0];
  overRuns(mask, width, (row, first, end) => {
    if (top < 0) top = row;
    bottom = row + 1;
    left = Math.min(left, first);
    right = Math.max(right, end);
  });
  return top < 0 ? undefined : { left, top, width: right - left, height: bottom - top };
}

/** Call `fn` with each run of 1 in a row: from the column `first` to before `end`. */
function overRuns(mask: Uint8Array, width: number, fn: (row: number, first: number, end: number) => void): void {
  for (let at = mask.indexOf(1); at >= 0; at = mask.indexOf(1, at)) {
    const row = Math.floor(at / width);
    const start = row * width;
    const first = at - start;
    while (at < start + width && mask[at] === 1) at++;
    fn(row, first, at - start);
  }
}
