// Which augmentations are on, for people.

import type { Fact } from "../../util/text/fact.ts";
import { type Augment, stepsOf } from "./augment.ts";
import { isStrong } from "./steps.ts";

/** `mildEpochs`: so many epochs at the end leave out the strong ones. */
export function describeAugment(augment: Augment | "none", { mildEpochs }: { mildEpochs: number }): Fact {
  const steps = augment === "none" ? [] : stepsOf(augment).filter(({ p }) => p > 0);
  const names = steps.map(({ name, p }) => (p < 1 ? `${name} (${p})` : name)).join(", ");
  const strong = [...new Set(steps.filter(isStrong).map(({ name }) => name))].join(", ");
  const until = strong !== "" && mildEpochs > 0 ? `; the last ${mildEpochs === 1 ? "epoch is" : `${mildEpochs} epochs are`} without ${strong}` : ""; // biome-ignore format: one line
  const of = typeof augment === "string" && augment !== "none" ? `${augment}: ` : "";
  return { name: "Augmentation", value: names === "" ? "none" : `${of}${names}${until}` };
}
