// A run that goes on must go on with the data it was made with: its classes are required, what else has changed is said.

import { type Environment, isSameData } from "../../run/environment.ts";
import { openRunFolder } from "../../run/runFolder.ts";
import { UserError } from "../../util/errors.ts";
import type { Fact } from "../../util/text/fact.ts";

/** Throws a UserError where the data set's classes are not those that a checkpoint's weights know, label by label. */
export function requireSameClasses(trained: readonly string[], classes: readonly { name: string }[]): void {
  const now = classes.map(({ name }) => name);
  if (trained.join("\n") === now.join("\n")) return;
  throw new UserError(
    `The data set has other classes than the run: ${now.join(", ")}; the run has ${trained.join(", ")}.`,
    {
      hint: "Put the data set back, or start a new run from these weights with heads: transplant, which keeps the classes that both have.",
    },
  );
}

/** A warning for people where the data set is not, to the byte, the one that the run was started with. */
export async function changedData(dir: string, { dataset }: Environment): Promise<Fact[]> {
  const before = (await (await openRunFolder(dir)).environment())?.dataset;
  if (typeof before?.fingerprint !== "string" || isSameData(before, dataset)) return [];
  const hash = before.fingerprint === dataset.fingerprint ? "content" : "fingerprint";
  const [was, is] = [before, dataset].map((one) => String(one[hash]).slice(0, 12));
  const value =
    `images or boxes of the data set have changed since this run was started (${hash} ${was}, now ${is}): ` +
    "what is measured from here on differs from what was measured before";
  return [{ name: "Warning", value }];
}
