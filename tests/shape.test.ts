// What the code's shape must keep: one meaning a name, folders that can be seen at once, files and functions that fit a screen.

import { describe, expect, test } from "vitest";
import { exportsOf, filesIn, functionsAbove, linesOf, textOf } from "./support/sources.ts";

/** Functions that may be longer than 80 lines; ARCHITECTURE.md says why of each. */
const LONG_FUNCTIONS: readonly string[] = [
  "track/tensorboard/appender.ts openAppender",
  "track/wandb/client/session.ts openSession",
  "track/wandb/client/transport.ts openTransport",
  "track/wandb/upload/upload.ts run",
  "track/wandb/upload/upload.ts startUpload",
];

const files = filesIn("src", /\.ts$/)
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => file.slice("src/".length));
const all = [
  ...filesIn("src", /\.(ts|js)$/),
  ...filesIn("setup", /\.mjs$/),
  ...filesIn("scripts", /\.(ts|mjs|py)$/),
  ...filesIn("tests", /\.(ts|mjs)$/),
];
const roomOf = (file: string) => (file.includes("/") ? file.split("/")[0]! : file);

/** A part of the network has one name in both of its descriptions: as tensors, and as an ONNX graph. */
function isSamePart(files: readonly string[]): boolean {
  return files.length === 2 && files.some(isGraph) && files.some((file) => /^(model|ops)\//.test(file));
}
const isGraph = (file: string) => file.startsWith("export/graph/");

describe("names", () => {
  test("no two files export the same name", () => {
    const owners = new Map<string, string[]>();
    for (const file of files.filter((file) => file !== "index.ts"))
      for (const name of exportsOf(`src/${file}`).own) owners.set(name, [...(owners.get(name) ?? []), file]);
    const twice = [...owners].filter(([_name, files]) => files.length > 1 && !isSamePart(files));
    expect(twice).toEqual([]);
  });

  test("only the public interface passes on what others export", () => {
    const passing = files.filter((file) => exportsOf(`src/${file}`).passedOn.length > 0);
    expect(passing.filter((file) => file !== "index.ts")).toEqual([]);
  });
});

describe("sizes", () => {
  test("no folder has more than 16 files side by side, tests included", () => {
    const counts = new Map<string, number>();
    for (const file of filesIn("src", /\.ts$/)) {
      const folder = file.slice(0, file.lastIndexOf("/"));
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > 16).map(([folder]) => folder)).toEqual([]);
  });

  test("no file has more than 300 lines, and half of the sources at most 100", () => {
    expect(all.filter((file) => linesOf(file) > 300)).toEqual([]);
    const sizes = files.map((file) => linesOf(`src/${file}`)).sort((a, b) => a - b);
    expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThanOrEqual(100);
  });

  test("no function has more than 80 lines but those that ARCHITECTURE.md names", () => {
    const long = files.flatMap((file) => functionsAbove(80, `src/${file}`).map(({ name }) => `${file} ${name}`));
    expect(long.filter((name) => !LONG_FUNCTIONS.includes(name))).toEqual([]);
    expect(LONG_FUNCTIONS.filter((name) => !long.includes(name))).toEqual([]);
    const text = textOf("ARCHITECTURE.md");
    expect(LONG_FUNCTIONS.filter((name) => !text.includes(`\`${name.split(" ")[1]}\``))).toEqual([]);
  });

  test("no room has more than 13 % of the sources' lines", () => {
    const lines = new Map<string, number>();
    for (const file of files) lines.set(roomOf(file), (lines.get(roomOf(file)) ?? 0) + linesOf(`src/${file}`));
    const total = [...lines.values()].reduce((sum, count) => sum + count, 0);
    expect([...lines].filter(([, count]) => count > 0.13 * total).map(([room]) => room)).toEqual([]);
  });
});
