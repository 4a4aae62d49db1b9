// Which files an export writes, and how each is made.

import { basename, dirname, extname, join } from "node:path";
import type { GraphSettings } from "./graph/rfdetr.ts";
import type { ExportOptions } from "./options.ts";
import { dynamicInt8, type Ranges, staticInt8 } from "./quantise.ts";

export type Planned = {
  path: string;
  kind: "plain" | "optimized" | "fp16" | "int8";
  settings: Pick<GraphSettings, "fused" | "floats" | "quantiser">;
  /** Held to the tolerance; a file that rounds is only measured. */
  exact: boolean;
};

/**
 * The plain file comes first, whatever else is asked for: it is what one goes back to. int8 is static where the ranges of
 * activations have been measured.
 */
export function plannedFiles(
  { out, optimize = false, precision = "fp32" }: Pick<ExportOptions, "out" | "optimize" | "precision">,
  ranges?: Ranges,
): Planned[] {
  const beside = (word: string) => join(dirname(out), `${basename(out, extname(out))}.${word}${extname(out)}`);
  const plain: Planned = { path: out, kind: "plain", settings: { fused: false, floats: "float32" }, exact: true };
  const fused: Planned = {
    ...plain,
    path: beside("optimized"),
    kind: "optimized",
    settings: { fused: true, floats: "float32" },
  };
  const half: Planned = {
    path: beside("fp16"),
    kind: "fp16",
    settings: { fused: optimize, floats: "float16" },
    exact: false,
  };
  const quantiser = ranges ? staticInt8(ranges) : dynamicInt8();
  const int8: Planned = {
    path: beside("int8"),
    kind: "int8",
    settings: { ...fused.settings, quantiser },
    exact: false,
  };
  return [
    plain,
    ...(optimize ? [fused] : []),
    ...(precision === "fp16" ? [half] : []),
    ...(precision === "int8" ? [int8] : []),
  ];
}
