import { expect, test } from "vitest";
import { tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { describePrecision } from "./precision.ts";

const recipe = (precision: "none" | "bf16") => tinyRecipe("data", { train: { amp_dtype: precision } });

test("a run in bfloat16 says where the device is not made for it", () => {
  const about = (support: "native" | "emulated" | "unknown") =>
    describePrecision(recipe("bf16"), support).map(({ name, value }) => `${name} ${value}`);
  expect(about("native")).toHaveLength(1);
  expect(about("emulated")[1]).toMatch(/no instructions for bfloat16.*train.amp_dtype: auto times both/);
  expect(about("unknown")[1]).toContain("is not known");
  expect(describePrecision(recipe("none"), "emulated")).toEqual([]);
});
