import { expect, test } from "vitest";
import { CLASSES } from "../scripts/shapes/outlines.ts";
import { drawScene, SIDE } from "../scripts/shapes/scene.ts";

test("a scene is the same for the same seed and number, and another one for others", () => {
  const { pixels, objects } = drawScene(1, 5);
  expect(drawScene(1, 5)).toEqual({ pixels, objects });
  expect(Buffer.from(pixels).equals(drawScene(1, 6).pixels)).toBe(false);
  expect(Buffer.from(pixels).equals(drawScene(2, 5).pixels)).toBe(false);
});

test("boxes lie tight around what is seen of each shape, no pixel is two shapes', and every class comes up", () => {
  const seen = new Set<number>();
  for (let index = 0; index < 40; index++) {
    const { pixels, objects } = drawScene(3, index);
    expect(pixels).toHaveLength(SIDE * SIDE * 3);
    const owners = new Uint8Array(SIDE * SIDE);
    for (const { label, box, mask } of objects) {
      seen.add(label);
      const places = [...mask.keys()].filter((i) => mask[i]);
      const [xs, ys] = [places.map((i) => i % SIDE), places.map((i) => Math.floor(i / SIDE))];
      expect(box).toEqual([Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1]);
      for (const i of places) owners[i]! += 1;
    }
    expect(Math.max(...owners)).toBeLessThanOrEqual(1);
  }
  expect(seen.size).toBe(CLASSES.length);
});
