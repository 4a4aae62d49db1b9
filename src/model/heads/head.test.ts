import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { loadBackend } from "../../engine/backend.ts";
import { joinOutputs } from "./head.ts";

beforeAll(() => void loadBackend());

test("outputs of heads stand side by side, and two of one name are an error", () => {
  const [logits, boxes, other] = [tf.scalar(1), tf.scalar(2), tf.scalar(3)];
  expect(joinOutputs([{ logits }, { boxes, other }])).toEqual({ logits, boxes, other });
  expect(() => joinOutputs([{ logits }, { boxes }, { boxes: other }])).toThrow(
    "two heads give an output of the name boxes",
  );
});
