// What a data set as a whole must have before anything can be learned from it: boxes to train on, of every class.

import type { Dataset } from "../dataset.ts";
import { type Problem, type Split, trainingBoxes } from "../sample.ts";

/** An error where no box to train on is left; else warnings for classes without one, and for classes of one name. */
export function wholenessProblems({
  classes,
  splits: { train },
  problems,
}: Pick<Dataset, "classes" | "splits" | "problems">): Problem[] {
  if (!train || train.samples.length === 0) return [];
  const counts = new Map<number, number>(classes.map(({ label }) => [label, 0]));
  for (const { annotations, width, height } of train.samples)
    for (const label of trainingBoxes(annotations, width ?? Number.MAX_VALUE, height ?? Number.MAX_VALUE).labels)
      counts.set(label, counts.get(label)! + 1);
  const problem = (kind: Problem["kind"], severity: Problem["severity"], says: string): Problem => {
    return { kind, severity, split: "train", file: train.annotations, message: `${train.annotations}: ${says}.` };
  };
  if ([...counts.values()].every((count) => count === 0)) return [problem("no-boxes", "error", whyNone(train, problems))]; // biome-ignore format: one line
  const empty = classes.filter(({ label }) => counts.get(label) === 0).map(({ name }) => name);
  const twins = classes.filter(({ name }, i) => classes.findIndex((other) => other.name === name) < i);
  return [
    ...(empty.length > 0 ? [problem("empty-class", "warning", `no box to train on is of ${listed(empty)}, which cannot be learned`)] : []), // biome-ignore format: one line
    ...(twins.length > 0 ? [problem("twin-classes", "warning", `several classes are called ${listed(twins.map(({ name }) => name))}`)] : []), // biome-ignore format: one line
  ];
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, 10).join(", ")}${names.length > 10 ? ` and ${names.length - 10} more` : ""}`;
}

function whyNone({ samples }: Split, problems: readonly Problem[]): string {
  const crowds = samples.reduce((sum, { annotations }) => sum + annotations.filter(({ crowd }) => crowd).length, 0);
  const lost = problems.filter(({ split, annotationId }) => split === "train" && annotationId !== undefined);
  const reasons = [
    ...(crowds > 0 ? [`${crowds} are crowd regions, which count in evaluation only`] : []),
    ...(lost.length > 0 ? [`${lost.length} cannot be used, the first: ${lost[0]!.message.replace(/\.$/, "")}`] : []),
  ];
  const why = reasons.length > 0 ? reasons.join("; ") : "no annotation was found for any of them";
  return `no box to train on is left in ${samples.length} image${samples.length === 1 ? "" : "s"} (${why})`;
}
