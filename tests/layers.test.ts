import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const SOURCE = join(import.meta.dirname, "..", "src");

/** Folders whose values each folder may import; types may be imported from anywhere. */
const MAY_IMPORT: Record<string, string[]> = {
  util: [],
  instance: ["util"],
  architecture: ["util"],
  engine: ["util"],
  ops: ["engine", "util"],
  model: ["ops", "engine", "architecture", "instance", "util"],
  loss: ["model", "ops", "engine", "architecture", "instance", "util"],
  recipe: ["util"],
  data: ["instance", "util"],
  checkpoint: ["architecture", "util"],
  run: ["checkpoint", "recipe", "instance", "util"],
  track: ["run", "util"],
  report: ["run", "recipe", "instance", "util"],
  onnx: ["model", "architecture", "instance", "data", "checkpoint", "util"],
  detector: ["onnx", "model", "ops", "engine", "architecture", "instance", "data", "checkpoint", "recipe", "util"],
  eval: ["detector", "onnx", "model", "loss", "ops", "engine", "instance", "data", "checkpoint", "util"],
  export: [
    "eval",
    "detector",
    "onnx",
    "model",
    "ops",
    "engine",
    "architecture",
    "instance",
    "data",
    "checkpoint",
    "run",
    "recipe",
    "util",
  ],
  train: [
    "export",
    "report",
    "track",
    "run",
    "eval",
    "detector",
    "loss",
    "model",
    "ops",
    "engine",
    "architecture",
    "instance",
    "data",
    "checkpoint",
    "recipe",
    "util",
  ],
  bench: [
    "export",
    "eval",
    "detector",
    "onnx",
    "model",
    "ops",
    "engine",
    "architecture",
    "instance",
    "data",
    "checkpoint",
    "run",
    "util",
  ],
  cli: [
    "train",
    "bench",
    "export",
    "report",
    "track",
    "run",
    "eval",
    "detector",
    "onnx",
    "model",
    "engine",
    "architecture",
    "instance",
    "data",
    "checkpoint",
    "recipe",
    "util",
  ],
};

/** Where TensorFlow.js may be imported; the backend package only by the engine. */
const MAY_USE_TENSORS = ["ops", "model", "loss", "train", "bench/weightsSubject.ts", "eval/evaluate.ts", "engine"];

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".ts") && !file.endsWith(".test.ts"),
);
const folderOf = (file: string) => (file.includes("/") ? file.split("/")[0]! : file);

/** Modules whose values a file imports, statically or lazily. */
function imports(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  const statements = [...text.matchAll(/^(?:import|export)\s+(?!type\b)([^;]*?)from\s+"([^"]+)"/gms)]
    .filter(([, what]) => !/^\{\s*(type\s[^,}]*,?\s*)+\}\s*$/.test(what!))
    .map(([, , from]) => from!);
  return [...statements, ...[...text.matchAll(/import\(\s*"([^"]+)"\s*\)/g)].map(([, from]) => from!)];
}

test("folders import only what lies below them", () => {
  const wrong = files.flatMap((file) =>
    imports(file)
      .filter((from) => from.startsWith("."))
      .map((from) => folderOf(relative(SOURCE, join(SOURCE, dirname(file), from))))
      .filter(
        (to) =>
          to !== ".." &&
          to !== folderOf(file) &&
          MAY_IMPORT[folderOf(file)] &&
          !MAY_IMPORT[folderOf(file)]!.includes(to),
      )
      .map((to) => `${file} -> ${to}`),
  );
  expect(wrong).toEqual([]);
});

test("every folder has a place in the table", () => {
  expect(files.filter((file) => file.includes("/") && !MAY_IMPORT[folderOf(file)])).toEqual([]);
});

test("only tensor code imports TensorFlow.js, and only the engine its backend", () => {
  const users = files.filter((file) => imports(file).some((from) => from.startsWith("@tensorflow/tfjs-core")));
  expect(users.filter((file) => !MAY_USE_TENSORS.includes(folderOf(file)) && !MAY_USE_TENSORS.includes(file))).toEqual(
    [],
  );
  const backend = files.filter((file) => /["']@tensorflow\/tfjs-node/.test(readFileSync(join(SOURCE, file), "utf8")));
  expect(backend.filter((file) => folderOf(file) !== "engine")).toEqual([]);
});

test("nothing draws unseeded random numbers or blocks on a tensor's values", () => {
  const offenders = files.filter((file) =>
    /Math\.random\(|\.(dataSync|arraySync)\(/.test(readFileSync(join(SOURCE, file), "utf8")),
  );
  expect(offenders).toEqual([]);
});

test("nothing below the command line writes to the terminal or ends the process", () => {
  const offenders = files.filter(
    (file) =>
      folderOf(file) !== "cli" &&
      file !== "engine/backend.ts" && // passes on what the native library itself wrote while it was loaded
      /console\.(log|error|warn)\(|process\.exit\(|process\.std(out|err)\.write\(/.test(
        readFileSync(join(SOURCE, file), "utf8"),
      ),
  );
  expect(offenders).toEqual([]);
});

test("no file is longer than 400 lines", () => {
  const long = files.filter((file) => readFileSync(join(SOURCE, file), "utf8").split("\n").length > 401);
  expect(long).toEqual([]);
});
