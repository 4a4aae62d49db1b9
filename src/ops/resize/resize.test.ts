import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { loadBackend } from "../../engine/backend.ts";
import { resizeBilinear } from "./resize.ts";

beforeAll(() => void loadBackend());

test("resized images are those of torch's interpolate(mode='bilinear', align_corners=False)", () => {
  const numbers = Float32Array.from({ length: 2 * 6 * 5 * 3 }, (_, i) => ((i * 7919) % 101) / 50 - 1);
  const images = tf.tensor4d(numbers, [2, 6, 5, 3]);
  for (const [side, expected] of CASES) {
    const resized = resizeBilinear(images, side);
    expect(resized.shape).toEqual([2, side, side, 3]);
    const values = [...resized.dataSync()];
    for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
    resized.dispose();
  }
  images.dispose();
});

/** The first values of each, with channels last. */
const CASES: [number, number[]][] = [
  [
    3,
    [
      -0.763333, 0.056667, 0.203333, -0.03, 0.79, -0.41, 0.703333, -0.496667, 0.323333, -0.403333, 0.416667, -0.11,
      0.33, -0.87, -0.05, -0.283333, -0.136667, 0.683333, -0.043333, 0.44, -0.423333, 0.69, -0.51, 0.31, -0.596667,
      0.223333, -0.303333,
    ],
  ],
  [
    4,
    [
      -0.9, -0.08, 0.4875, -0.35, 0.47, -0.73, 0.2, -0.2425, -0.18, 0.75, -0.45, 0.37, -0.63, 0.19, 0.7575, -0.08,
      0.171875, -0.46, 0.47, -0.540625, 0.09, -0.305625, -0.18, 0.64, -0.36, 0.46, -0.74,
    ],
  ],
  [
    7,
    [
      -1.0, -0.18, 0.64, -0.748571, 0.071429, -0.262857, -0.434286, 0.385714, -0.814286, -0.12, 0.7, -0.5, 0.194286,
      -0.428572, -0.185714, 0.508572, -0.691429, 0.128571, 0.76, -0.44, 0.38, -0.858571, -0.038571, 0.781429, -0.607143,
      0.212857, -0.121429,
    ],
  ],
  [
    11,
    [
      -1.0, -0.18, 0.64, -0.92, -0.1, 0.352727, -0.72, 0.1, -0.365455, -0.52, 0.3, -0.9, -0.32, 0.5, -0.7, -0.12, 0.7,
      -0.5, 0.08, -0.018182, -0.3, 0.28, -0.736364, -0.1, 0.48, -0.72, 0.1,
    ],
  ],
];
