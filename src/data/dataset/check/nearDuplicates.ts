// Pictures of val and test that are nearly ones of another split, as frames of one scene are: what is measured on them looks better than it is.

import { nearPairs } from "../../../split/nearHashes.ts";
import { linkedSets } from "../../../split/together.ts";
import { pictureHashes } from "../../splits/alike.ts";
import { type LabelledData, type Problem, SPLITS, spread } from "../sample.ts";

/** Pictures of a split that are looked at, spread evenly: each is opened, as a thumbnail. */
const MOST_PICTURES = 5000;

/** A warning for each such picture that is not among `but` ("SPLIT FILE"), and, where a split has more pictures than are looked at, a note. */
export async function nearProblems(
  { splits }: Pick<LabelledData, "splits">,
  { but, most = MOST_PICTURES, signal }: { but: ReadonlySet<string>; most?: number; signal?: AbortSignal | undefined },
): Promise<{ problems: Problem[]; notes: string[] }> {
  const present = SPLITS.flatMap((name) => splits[name] ?? []);
  if (present.length < 2) return { problems: [], notes: [] };
  const all = [];
  for (const split of present) {
    signal?.throwIfAborted();
    const { samples } = spread(split, most);
    const hashes = await pictureHashes(samples, split.reading);
    all.push(...samples.map(({ file }, i) => ({ split: split.name, file, hash: hashes[i]! })));
  }
  const links = linkedSets(all.length);
  nearPairs(all.map(({ hash }) => hash), (a, b) => void links.link(a, b)); // biome-ignore format: one line
  const firsts = new Map<number, (typeof all)[number]>();
  const problems: Problem[] = [];
  for (const [i, set] of links.sets().entries()) {
    const { split, file } = all[i]!;
    const first = firsts.get(set) ?? all[i]!;
    firsts.set(set, first);
    if (first.split === split || but.has(`${split} ${file}`)) continue;
    const message = `${file} (${split}) is nearly the same image as ${first.file} (${first.split}): what is measured on it looks better than it is. rfdetr-train data split keeps such images together.`;
    problems.push({ kind: "near-duplicate", severity: "warning", split, file, message });
  }
  const large = present.filter(({ samples }) => samples.length > most);
  const notes = large.map(({ name, samples }) => `near-duplicates were looked for among ${most} of the ${samples.length} images of ${name}, spread evenly`); // biome-ignore format: one line
  return { problems, notes };
}
