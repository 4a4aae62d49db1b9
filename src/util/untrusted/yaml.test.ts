import { expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { parseYaml } from "./yaml.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

test("values come out, and where something is wrong the place is said", () => {
  expect(parseYaml("a: [1, {b: x}]\n", "f").values).toEqual({ a: [1, { b: "x" }] });
  expect(() => parseYaml("a: 1\nb: 2\na: 3\n", "f.yaml")).toThrow(
    "f.yaml:3:1: not valid YAML: Map keys must be unique",
  );
  expect(() => parseYaml("a: 1\n? [b]\n: 2\n", "f.yaml")).toThrow(/f.yaml:2:3: not valid YAML: A key is a list/);
  expect(() => parseYaml("a: [1", "--set a", { positions: false })).toThrow(/^--set a: not valid YAML/);
});

test.each([
  ["complex keys inside one another", `seed: 1\n${"? ".repeat(400)}`],
  ["many complex keys inside one another", "? ".repeat(100_000)],
  ["deep lists", `a: ${"[".repeat(50_000)}`],
  ["deep closed lists", `a: ${"[".repeat(90)}${"]".repeat(90)}`],
  ["deep lists of lines", `${"- ".repeat(30_000)}a`],
  [
    "300,000 keys",
    numbers(60_000)
      .map((i) => `k${i}: 1\n`)
      .join(""),
  ],
  [
    "a flow map of many keys",
    `{${numbers(60_000)
      .map((i) => `k${i}: 1`)
      .join(", ")}}`,
  ],
  ["two megabytes", `a: ${"x".repeat(2e6)}`],
  [
    "aliases of aliases",
    ["a0: &a0 [x]", ...numbers(30).map((i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`)].join("\n"),
  ],
])("%s are refused within seconds", (_, text) => {
  const begin = performance.now();
  expect(() => parseYaml(text, "f")).toThrow(UserError);
  expect(performance.now() - begin).toBeLessThan(8000);
});

test("a table of 10,000 classes is read", () => {
  const begin = performance.now();
  const { names } = parseYaml(
    `names:\n${numbers(10_000)
      .map((i) => `  ${i}: class ${i}\n`)
      .join("")}`,
    "f",
  ).values as { names: object };
  expect(Object.keys(names)).toHaveLength(10_000);
  expect(performance.now() - begin).toBeLessThan(8000);
});
