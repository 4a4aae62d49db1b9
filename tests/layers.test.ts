// Who may import whom, without circles; and what only some may do.

import { describe, expect, test } from "vitest";
import { circles, filesIn, importsOf, textOf } from "./support/sources.ts";

/** Rooms that each room may import from, types included. */
const MAY_IMPORT: Record<string, string[]> = {
  util: [],
  split: ["util"],
  instance: ["util"],
  architecture: ["util"],
  engine: ["util"],
  distributed: ["engine", "util"],
  ops: ["engine", "util"],
  model: ["ops", "engine", "architecture", "instance", "util"],
  loss: ["model", "ops", "engine", "architecture", "instance", "util"],
  recipe: ["instance", "util"],
  data: ["split", "instance", "util"],
  loading: ["data", "instance", "util"],
  convert: ["data", "instance", "util"],
  checkpoint: ["architecture", "util"],
  run: ["checkpoint", "recipe", "instance", "util"],
  track: ["run", "instance", "checkpoint", "util"],
  report: ["run", "recipe", "instance", "util"],
  watch: ["report", "run", "instance", "util"],
  onnx: ["data", "checkpoint", "instance", "util"],
  detector: ["onnx", "model", "ops", "engine", "architecture", "instance", "data", "checkpoint", "recipe", "util"],
  eval: ["detector", "onnx", "engine", "run", "convert", "instance", "loading", "data", "checkpoint", "recipe", "util"],
  review: ["report", "eval", "detector", "engine", "convert", "instance", "loading", "data", "run", "recipe", "util"],
  export: [
    "eval",
    "detector",
    "onnx",
    "model",
    "ops",
    "engine",
    "architecture",
    "instance",
    "loading",
    "data",
    "checkpoint",
    "run",
    "recipe",
    "util",
  ],
  doctor: ["onnx", "engine", "architecture", "run", "instance", "util"],
  step: [
    "distributed",
    "loss",
    "model",
    "ops",
    "engine",
    "architecture",
    "instance",
    "loading",
    "data",
    "checkpoint",
    "recipe",
    "util",
  ],
  train: [
    "distributed",
    "step",
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
    "loading",
    "data",
    "checkpoint",
    "recipe",
    "util",
  ],
  bench: ["eval", "detector", "onnx", "engine", "instance", "loading", "data", "run", "recipe", "util"],
  cli: [
    "distributed",
    "review",
    "convert",
    "doctor",
    "train",
    "step",
    "bench",
    "export",
    "watch",
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
    "loading",
    "data",
    "checkpoint",
    "recipe",
    "util",
  ],
};

/** Where TensorFlow.js may be imported; the backend package only by the engine. */
const MAY_USE_TENSORS = ["distributed", "ops", "model", "loss", "step", "train", "engine"];

/** Where set-up's parts that a package carries along may be used. */
const MAY_USE_SETUP = ["engine/device.ts", "doctor/diagnose.ts", "cli/launch/launch.ts"];

const files = filesIn("src", /\.ts$/)
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => file.slice("src/".length));
const roomOf = (file: string) => (file.includes("/") ? file.split("/")[0]! : file);
const imported = new Map(files.map((file) => [file, importsOf(`src/${file}`)]));
const within = (file: string) => imported.get(file)!.filter((to) => to.startsWith("src/"));

describe("who imports whom", () => {
  test("rooms import only what lies below them, types included", () => {
    const wrong = files.flatMap((file) => {
      const allowed = MAY_IMPORT[roomOf(file)];
      if (!allowed) return [];
      return within(file)
        .map((to) => to.slice("src/".length))
        .filter((to) => roomOf(to) !== roomOf(file) && !allowed.includes(roomOf(to)))
        .map((to) => `${file} -> ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  test("sources import nothing beside src but set-up, and set-up nothing of the sources", () => {
    const beside = files.flatMap((file) =>
      imported
        .get(file)!
        .filter(
          (to) =>
            /^\.|^(tests|scripts|bin|examples)\//.test(to) ||
            (to.startsWith("setup/") && !MAY_USE_SETUP.includes(file)),
        )
        .map((to) => `${file} -> ${to}`),
    );
    const upward = filesIn("setup", /(?<!\.test)\.mjs$/).flatMap((file) =>
      importsOf(file)
        .filter((to) => /^(src|dist|tests|scripts)\//.test(to))
        .map((to) => `${file} -> ${to}`),
    );
    expect([...beside, ...upward]).toEqual([]);
  });

  test("every room has a place in the table, and only the public interface lies beside the rooms", () => {
    expect(files.filter((file) => !MAY_IMPORT[roomOf(file)])).toEqual(["index.ts"]);
    const rooms = new Set(files.map(roomOf));
    expect(Object.keys(MAY_IMPORT).filter((room) => !rooms.has(room))).toEqual([]);
  });

  test("the table itself has no circle", () => {
    expect(circles(new Map(Object.entries(MAY_IMPORT)))).toEqual([]);
  });

  test("no files import each other in a circle, types included", () => {
    const edges = new Map(files.map((file) => [`src/${file}`, within(file)]));
    expect(circles(edges).flatMap((circle) => circle.map((file) => file.slice("src/".length)))).toEqual([]);
  });

  test("a test imports its subject's room and what that may import", () => {
    const wrong = filesIn("src", /\.test\.ts$/).flatMap((file) => {
      const room = roomOf(file.slice("src/".length));
      return importsOf(file)
        .filter((to) => to.startsWith("src/"))
        .map((to) => to.slice("src/".length))
        .filter((to) => roomOf(to) !== room && !MAY_IMPORT[room]?.includes(roomOf(to)))
        .map((to) => `${file} -> ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  test("only tensor code imports TensorFlow.js, and only the engine its backend", () => {
    const users = files.filter((file) => imported.get(file)!.some((from) => from.startsWith("@tensorflow/tfjs-core")));
    expect(users.filter((file) => !MAY_USE_TENSORS.includes(roomOf(file)) && !MAY_USE_TENSORS.includes(file))).toEqual(
      [],
    );
    // our own addons for others lie in the backend's folder and have nothing of it
    const backend = files.filter((file) =>
      /["']@tensorflow\/tfjs-node(?!-gpu\/lib\/napi-v8\/rfdetr_image\.node)/.test(textOf(`src/${file}`)),
    );
    expect(backend.filter((file) => roomOf(file) !== "engine")).toEqual([]);
  });
});

describe("habits", () => {
  test("nothing draws unseeded random numbers or blocks on a tensor's values", () => {
    const offenders = files.filter((file) => /Math\.random\(|\.(dataSync|arraySync)\(/.test(textOf(`src/${file}`)));
    expect(offenders).toEqual([]);
  });

  test("nothing below the command line writes to the terminal or ends the process", () => {
    const offenders = files.filter(
      (file) =>
        roomOf(file) !== "cli" &&
        file !== "engine/backend.ts" && // passes on what the native library itself wrote while it was loaded
        /console\.(log|error|warn)\(|process\.exit\(|process\.std(out|err)\.write\(/.test(textOf(`src/${file}`)),
    );
    expect(offenders).toEqual([]);
  });
});
