import { expect, test } from "vitest";
import { permute } from "./permute.ts";

const counted = (shape: number[]) => ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i) }); // biome-ignore format: one line

test("permute puts every number where the new order of the axes has it", () => {
  const [a, b, c, d] = [2, 3, 4, 5] as const;
  const { shape, data } = permute(counted([a, b, c, d]), [2, 3, 1, 0]);
  expect(shape).toEqual([c, d, b, a]);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++)
        for (let l = 0; l < d; l++) expect(data[((k * d + l) * b + j) * a + i]).toBe(((i * b + j) * c + k) * d + l);
});

test("the inverse order brings everything back", () => {
  const tensor = counted([3, 2, 5]);
  expect(permute(permute(tensor, [2, 0, 1]), [1, 2, 0])).toEqual(tensor);
});
