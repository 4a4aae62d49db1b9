import { expect, test } from "vitest";
import { bf16Support } from "./bf16.ts";

test("a processor has bfloat16 where one of its instruction sets has it", () => {
  expect(bf16Support("cpu", "flags\t\t: fpu avx512f amx_bf16 amx_tile")).toBe("native");
  expect(bf16Support("cpu", "flags\t\t: fpu avx512_bf16")).toBe("native");
  expect(bf16Support("cpu", "Features\t: fp asimd bf16 i8mm")).toBe("native");
  expect(bf16Support("cpu", "flags\t\t: fpu avx2 avx512f")).toBe("emulated");
  expect(bf16Support("gpu", "flags\t\t: fpu amx_bf16")).toBe("unknown");
  expect(["native", "emulated", "unknown"]).toContain(bf16Support("cpu"));
});
