import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { loadBackend } from "./backend.ts";

test("a tensor that was made of an array keeps its values when the array changes, wherever in memory it lies", () => {
  loadBackend();
  const memory = new ArrayBuffer(256);
  for (let i = 0; i < 16; i++) {
    const array = new Float32Array(memory, 4 * i, 16).fill(1); // one of them lies on a boundary of 64 bytes, where memory was shared
    const tensor = tf.tensor1d(array);
    tf.square(tensor).dispose(); // brings it to the device
    array.fill(2);
    expect(Array.from(tensor.dataSync())).toEqual(Array(16).fill(1));
    tensor.dispose();
  }
});
