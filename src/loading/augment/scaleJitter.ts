// Half of the time: scale the short side to 400, 500 or 600 and cut a square of 384..600 out (`datasets/_torchvision.py`).

import type { Size, Step } from "./step.ts";

/** Whether to do it. */
type Settings = { scale_jitter: boolean };

const SHORT_SIDES = [400, 500, 600] as const;
const CUT = { min: 384, max: 600 };

export const scaleJitter: Step<Settings> = {
  name: "scale_jitter",
  draw(rng, size, settings) {
    if (!settings.scale_jitter) return null;
    const [whole, pick, sideAt, topAt, leftAt] = [0, 1, 2, 3, 4].map(() => rng.uniform()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (whole < 0.5) return null;
    const resize = shortSide(size, SHORT_SIDES[Math.floor(pick * SHORT_SIDES.length)]!);
    const max = Math.min(CUT.max, resize.width, resize.height);
    const min = Math.min(CUT.min, max);
    const side = min + Math.floor(sideAt * (max - min + 1));
    const top = Math.floor(topAt * (resize.height - side + 1));
    const left = Math.floor(leftAt * (resize.width - side + 1));
    return { resize, cut: { top, left, width: side, height: side } };
  },
};

/** The size with its short side set to `side` and the ratio kept; the long side is rounded as Python rounds. */
function shortSide({ width, height }: Size, side: number): Size {
  if (width < height) return { width: side, height: roundHalfEven((side * height) / width) };
  return { width: roundHalfEven((side * width) / height), height: side };
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
