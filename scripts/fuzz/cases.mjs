// What is fuzzed: for each kind of input, which of the files that are right is changed, and the command that reads it.

import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { mutate, oneOf } from "./mutate.mjs";
import { DATA_SETS, LINKS } from "./seeds.mjs";

/** How often each kind is drawn. */
const SHARES = {
  ...{
    coco: 3,
    large: 1,
    yolo: 2,
    lists: 2,
    voc: 2,
    labelme: 1,
    createml: 1,
    csv: 1,
    zip: 2,
    darknet: 1,
    workers: 1,
    recipe: 3,
    run: 6,
    checkpoint: 2,
    weights: 4,
    onnx: 4,
    huge: 1,
    image: 4,
    results: 2,
    decisions: 1,
  },
};
const KINDS = Object.entries(SHARES).flatMap(([kind, count]) => Array(count).fill(kind));

/** Copy the files of a kind to `folder`, and change some of them. `only`: kinds that are drawn from. `command`: the command line that reads them. */
export function makeCase(random, { home, folder, only }) {
  const kind = oneOf(random, only ? only.split(",") : KINDS);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(home, kind), folder, LINKS);
  if (kind === "run" && random() < 0.3) linksAsText(join(folder, "checkpoints"));
  const files = readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => !/checkpoints.(best|last)./.test(path) && statSync(path).isFile()); // the links name others again
  const single = ["recipe", "weights", "image", "onnx", "huge", "zip", "workers"].includes(kind);
  const changed =
    kind === "run"
      ? ofRun(random, folder, files)
      : kind === "decisions"
        ? [join(folder, "decisions.json")] // of a data set that has changed nothing more is read
        : [oneOf(random, files)];
  if (!single && kind !== "decisions" && random() < 0.2) changed.push(oneOf(random, files));
  const how = [...new Set(changed)].map((path) => {
    const isLeft = kind === "huge" && random() < 0.5; // a change of its bytes most often makes it no model at all
    return `${isLeft ? "left" : mutate(random, path)} ${path.slice(folder.length + 1)}`;
  });
  if (kind === "checkpoint" && random() < 0.7) correctSums(folder);
  const path = single ? changed[0] : folder;
  return { kind, path, how, deep: random() < 0.3 || kind === "huge", command: commandFor(kind, path) };
}

/** A copy by a program or to a disk that knows no links. */
function linksAsText(folder) {
  for (const name of ["best", "last"]) {
    const path = join(folder, name);
    const target = basename(realpathSync(path));
    rmSync(path);
    writeFileSync(path, `${target}\n`);
  }
}

/** Most readers read the texts of a run's folder; pictures, events and tensors are many files and less of a target. */
function ofRun(random, folder, files) {
  const texts = files.filter((path) => /\.(json|jsonl|yaml|lock)$|[/\\](best|last)$/.test(path));
  const inCheckpoint = join(folder, "checkpoints", "0");
  return random() < 0.85
    ? [
        oneOf(
          random,
          texts.filter((path) => !path.startsWith(inCheckpoint)),
        ),
      ]
    : [oneOf(random, files)];
}

/** Let the manifest say the sums of the changed files, so that what is behind the sums is reached. */
function correctSums(folder) {
  try {
    const path = join(folder, "manifest.json");
    if (!statSync(path).isFile() || statSync(path).size > 1e7) return; // a pipe would be waited for
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    for (const name of Object.keys(manifest.files)) {
      if (!statSync(join(folder, name)).isFile() || statSync(join(folder, name)).size > 1e7) continue;
      const bytes = readFileSync(join(folder, name));
      manifest.files[name] = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
    }
    writeFileSync(path, JSON.stringify(manifest));
  } catch {} // it is the manifest itself that was changed
}

/** Empty: no command reads such a file by itself without an engine. */
function commandFor(kind, path) {
  const check = (...sets) => ["check", "--no-cost", "--recipe", "quickstart", ...sets.flatMap((one) => ["--set", one])];
  if (kind === "recipe") return ["check", "--no-cost", "--recipe", path];
  if (kind === "weights") return ["convert", path, join(path, "..", "out.safetensors"), "--force"];
  if (kind === "run") return ["report", path];
  if (DATA_SETS.includes(kind)) return check(`data.dir=${path}`);
  if (kind === "coco" || kind === "large") {
    const split = `{ images: ${path}, annotations: ${join(path, "annotations.json")} }`;
    return check("data.dir=null", `data.train=${split}`, `data.val=${split}`);
  }
  if (kind === "results")
    return ["evaluate", "--annotations", join(path, "annotations.json"), "--predictions", join(path, "results.json")];
  if (kind === "decisions")
    return ["data", "correct", "--data", join(path, "set"), "--decisions", join(path, "decisions.json"), "--out", join(path, "out")]; // biome-ignore format: one line
  return [];
}
