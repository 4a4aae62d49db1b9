import { expect, test } from "vitest";
import { fromFloat32, type StateDict, toFloat32 } from "../util/hostTensor.ts";
import { transplantHeads } from "./transplant.ts";

const HEADS = ["class_embed", "transformer.enc_out_class_embed.0", "transformer.enc_out_class_embed.1"];

/** Heads of so many rows, three wide: weights `first` + 10 * row + column, biases `first` + row. */
function heads(rows: number, first: number): StateDict {
  const numbers = (length: number, of: (i: number) => number) => Float32Array.from({ length }, (_, i) => of(i));
  const dict: StateDict = new Map();
  for (const [i, head] of HEADS.entries()) {
    const start = first + 1000 * i;
    dict.set(
      `${head}.weight`,
      fromFloat32(
        numbers(3 * rows, (j) => start + 10 * Math.floor(j / 3) + (j % 3)),
        [rows, 3],
      ),
    );
    dict.set(
      `${head}.bias`,
      fromFloat32(
        numbers(rows, (row) => start + row),
        [rows],
      ),
    );
  }
  return dict;
}

test("rows go to the classes of their names in every head, new classes get drawn rows, the last row stays", () => {
  const old = new Map([...heads(4, 0), ["query_feat.weight", fromFloat32(Float32Array.of(5), [1, 1])]]);
  const drawn = new Map([...heads(5, 500), ["query_feat.weight", fromFloat32(Float32Array.of(6), [1, 1])]]);
  const result = transplantHeads(old, ["cat", "dog", "Traffic_Light"], ["boat", "traffic light", "cat", "van"], drawn);
  expect(result.kept).toEqual(["traffic light", "cat"]);
  expect(result.fresh).toEqual(["boat", "van"]);
  for (const [i, head] of HEADS.entries()) {
    const start = 1000 * i;
    expect([...toFloat32(result.tensors.get(`${head}.bias`)!)]).toEqual(
      [500, 2, 0, 503, 3].map((value) => value + start),
    );
    const weight = result.tensors.get(`${head}.weight`)!;
    expect(weight.shape).toEqual([5, 3]);
    expect([...toFloat32(weight)]).toEqual(
      [500, 501, 502, 20, 21, 22, 0, 1, 2, 530, 531, 532, 30, 31, 32].map((value) => value + start),
    );
  }
  expect(result.tensors.get("query_feat.weight")).toBe(old.get("query_feat.weight"));
  expect(old.get("class_embed.bias")!.shape).toEqual([4]);
});

test("rows without a name are not used, and of two rows with one name the first counts", () => {
  const result = transplantHeads(heads(4, 0), [undefined, "a", "A"], ["a"], heads(2, 500));
  expect([...toFloat32(result.tensors.get("class_embed.bias")!)]).toEqual([1, 3]);
  expect(result.kept).toEqual(["a"]);
});

test("heads of another width are left as they are", () => {
  const old: StateDict = new Map([["class_embed.weight", fromFloat32(new Float32Array(8), [2, 4])]]);
  const { tensors } = transplantHeads(old, ["a"], ["a"], heads(2, 500));
  expect(tensors.get("class_embed.weight")).toBe(old.get("class_embed.weight"));
});
