import { expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { jsonStringEnd, parseJson } from "./json.ts";

test("values come out, after a byte-order mark, and bare NaN and Infinity as null where that is asked for", () => {
  expect(parseJson('\uFEFF{"a": [1, "}]"]}', "f")).toEqual({ a: [1, "}]"] });
  const text = String.raw`{"a": NaN, "b": [-Infinity, "NaN \" NaN \\", Infinity], "NaN": "\\"}`;
  expect(parseJson(text, "f", { bareNumbers: true })).toEqual({ a: null, b: [null, 'NaN " NaN \\', null], NaN: "\\" });
  expect(() => parseJson("[NaN]", "f.json")).toThrow(UserError);
  expect(() => parseJson('{"a": 1', "f.json")).toThrow(/^f.json is not valid JSON: /);
});

test("a fault is quoted without what would move a terminal's cursor", () => {
  expect(() => parseJson("[1, \u001b[2J\u001b]0;x\u0007]", "f")).toThrow(/^\P{Cc}*$/u);
});

test.each(["[", '{"a":', '[{"a":'])("what is nested too deeply is refused: %s", (one) => {
  expect(() => parseJson(one.repeat(500_000), "f.json")).toThrow(
    /^f.json is JSON that is nested deeper than 100 levels/,
  );
});

test("a string's end is found, also behind many escapes, in linear time", () => {
  expect(jsonStringEnd(String.raw`x"a\\\"b\\"y"`, 1)).toBe(10);
  const begin = performance.now();
  for (const text of [`{"${'\\"'.repeat(400_000)}`, `{"${"\\".repeat(800_000)}`, '"\\" '.repeat(200_000)])
    expect(() => parseJson(text, "f", { bareNumbers: true })).toThrow(UserError);
  expect(performance.now() - begin).toBeLessThan(3000);
});
