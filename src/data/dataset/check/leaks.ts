// Pictures that lie in two splits: what is measured on them is no longer held out.

import { UserError } from "../../../util/errors.ts";
import { contentTwins } from "../../splits/alike.ts";
import type { LabelledData, Problem, Sample, SplitName } from "../sample.ts";
import { SPLITS } from "../sample.ts";

/** An image of a split. */
export type Twin = { split: SplitName; sample: Sample };

/**
 * An image that is the same as one of another split. With other boxes there it is no copy that got in by mistake, but labelled
 * twice, or a stand-in for a picture that is not there: that is said and does not stop anybody.
 */
export function leakProblem({ sample, split }: Twin, twin: Twin, { allowed }: { allowed: boolean }): Problem {
  const { file } = sample;
  const differ = labelsOf(sample) !== labelsOf(twin.sample);
  const boxes = differ ? ", where it has other boxes" : "";
  const message = `${file} (${split}) is the same image as ${twin.sample.file} (${twin.split})${boxes}: what is measured there is no longer held out.`;
  return { kind: "leak", severity: allowed || differ ? "warning" : "error", split, file, message };
}

/** The same for the same classes and boxes in any order. */
function labelsOf({ annotations }: Sample): string {
  const rows = annotations.map(({ label, box, crowd }) => [label, crowd, ...box].join(" "));
  return rows.sort().join("\n");
}

/** Images of the same bytes in two splits; files are hashed only where others have their size. */
export async function leakProblems({ splits }: LabelledData, { allowed }: { allowed: boolean }): Promise<Problem[]> {
  const all = SPLITS.flatMap((split) =>
    (splits[split]?.samples ?? []).map((sample) => ({ split, sample, path: sample.path })),
  );
  if (new Set(all.map(({ split }) => split)).size < 2) return [];
  const problems: Problem[] = [];
  for (const twins of await contentTwins(all)) {
    const [first, ...others] = twins
      .map((i) => all[i]!)
      .sort((a, b) => SPLITS.indexOf(a.split) - SPLITS.indexOf(b.split));
    for (const other of others)
      if (other.split !== first!.split) problems.push(leakProblem(other, first!, { allowed }));
  }
  return problems;
}

/**
 * Throws a UserError with the command that repairs it where any of them is an error; `dir` is the data set's folder, where it is one,
 * `others` what else was found and is said with it.
 */
export function refuseLeaks(
  problems: readonly Problem[],
  { dir, others = [] }: { dir: string | null; others?: readonly string[] },
): void {
  const leaks = problems.filter(({ severity }) => severity === "error");
  if (leaks.length === 0) return;
  const shown = leaks.slice(0, 3).map(({ message }) => message);
  if (leaks.length > shown.length) shown.push(`... and ${leaks.length - shown.length} more.`);
  throw new UserError([...shown, ...others].join("\n"), { hint: leakRemedy(leaks, dir) });
}

/** What to do about leaks. */
export function leakRemedy(leaks: readonly Problem[], dir: string | null): string {
  const test = leaks.some(({ split }) => split === "test") ? " --test 0.1" : "";
  const command = `rfdetr-train data split --data ${dir ?? "DIR"} --val 0.2${test} --out NEW`;
  return `Part the images again, copies on one side: ${command}. Or take the copies out. data.allow_leaks: true trains on them as they are.`;
}
