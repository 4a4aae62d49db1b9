import { expect, test } from "vitest";
import { factLine, sentence } from "./fact.ts";

test("a fact is a line: its name and value, indented where it is part of another, or a sentence", () => {
  expect(factLine({ name: "Device", value: "CPU: one" })).toBe("Device: CPU: one");
  expect(factLine({ name: "train", value: "7 images", under: "Data" })).toBe("  train: 7 images");
  expect(factLine(sentence("Only the first 2 are used"))).toBe("Only the first 2 are used");
});
