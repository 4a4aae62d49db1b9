import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readJsonLists } from "./jsonLists.ts";

const path = join(mkdtempSync(join(tmpdir(), "lists-")), "a.json");
const KEEP = { a: (entry: unknown) => entry, b: (entry: unknown) => entry, "": (entry: unknown) => entry };
type Options = Partial<Parameters<typeof readJsonLists>[1]>;

/** The value of a text, and the same however the text is split between what is held first and what follows. */
async function readText(text: string | Buffer, options: Options = {}): Promise<unknown> {
  writeFileSync(path, text);
  const whole = await readJsonLists(path, { keep: KEEP, ...options });
  for (let bytes = 1; bytes <= Buffer.byteLength(text); bytes++)
    expect(await readJsonLists(path, { keep: KEEP, ...options, window: { bytes } })).toEqual(whole);
  return whole;
}

async function messageOf(text: string | Buffer, options: Options = {}): Promise<string> {
  const at = async (bytes?: number) => {
    const error: unknown = await readJsonLists(path, {
      keep: KEEP,
      ...options,
      window: { ...(bytes && { bytes }) },
    }).catch((one: unknown) => one);
    expect(error).toMatchObject({ name: "UserError" });
    return (error as Error).message.replace(path, "FILE");
  };
  writeFileSync(path, text);
  const message = await at();
  for (let bytes = 1; bytes <= Buffer.byteLength(text); bytes++) expect(await at(bytes)).toBe(message);
  return message;
}

test("lists come out as JSON has them, wherever the file is split", async () => {
  const value = {
    a: [{ s: '}],{[ " \\', t: "\\\\" }, [[], {}, ["]"]], 'ü€😀\n"', -1.5e-3, null, true, "", { "a]": { "}": [1] } }],
    b: [],
  };
  for (const text of [JSON.stringify(value), JSON.stringify(value, null, 1), `\uFEFF ${JSON.stringify(value)}\r\n\t`])
    expect(await readText(text)).toEqual(value);
  expect(await readText(String.raw`{"a":["\u00fc\"", "\\"]}`)).toEqual({ a: ['ü"', "\\"] });
  expect(await readText('[{"a": [1, 2]}, "[", 3]')).toEqual([{ a: [1, 2] }, "[", 3]);
  for (const text of ["{}", " [ ] ", "3", '"a"', "null", "[[]]"])
    expect(await readText(text)).toEqual(JSON.parse(text));
});

test("other keys are left out, a key's last value counts, and what is no list comes out as it is", async () => {
  const text = '{"x": [1, {"a": [2]}], "a": [1], "b": {"a": [3]}, "a": [4, 5], "__proto__": [6], "y": {"z": "}"}}';
  expect(await readText(text)).toEqual({ a: [4, 5], b: { a: [3] } });
  const keep = { a: (entry: unknown) => ({ only: (entry as { id: number }).id }) };
  expect(await readText('{"a": [{"id": 1, "x": 2}, {"id": 2}]}', { keep })).toEqual({ a: [{ only: 1 }, { only: 2 }] });
});

test("bare NaN and Infinity are null where that is asked for, and else refused with their entry", async () => {
  const text = '{"a": [1, {"x": NaN, "y": "NaN"}, [-Infinity]], "b": Infinity}';
  expect(await readText(text, { bareNumbers: true })).toEqual({ a: [1, { x: null, y: "NaN" }, [null]], b: null });
  expect(await messageOf(text)).toMatch(/^FILE: entry 1 of "a" \(from byte 9\) is not valid JSON: /);
});

test("many entries, longer than what is parsed at a time, are read and counted", async () => {
  const entries = Array.from({ length: 20_000 }, (_, id) => ({ id, text: `,]}${id}` }));
  for (const bytes of [1, 1000, 65_537, 1 << 22]) {
    writeFileSync(path, JSON.stringify({ a: entries, b: [{ long: "x".repeat(300_000) }] }));
    const value = (await readJsonLists(path, { keep: KEEP, window: { bytes } })) as Record<string, unknown[]>;
    expect(value.a).toEqual(entries);
    expect(value.b).toEqual([{ long: "x".repeat(300_000) }]);
  }
  writeFileSync(path, `[${entries.map(({ id }) => (id === 15_000 ? "{]" : id)).join(",")}]`);
  await expect(readJsonLists(path, { keep: KEEP })).rejects.toThrow(
    `${path}: entry 15000 of the list (from byte 78891) is`,
  );
});

test.each([
  ['{"a": [1, 2,]}', /^FILE is not valid JSON: entry 2 of "a" is missing, at byte 12\.$/],
  ['{"a": [,1]}', /entry 0 of "a" is missing, at byte 7\.$/],
  ["[1,, 2]", /entry 1 of the list is missing, at byte 3\.$/],
  ["[ , ]", /missing, at byte \d\.$/],
  ['{"a": [1, {"b" 2}]}', /^FILE: entry 1 of "a" \(from byte 9\) is not valid JSON: /],
  ['{"a": [1 2]}', /^FILE: entry 0 of "a" \(from byte 7\) is not valid JSON: /],
  ['{"a": [{"b": 1]]}', /^FILE: entry 0 of "a" \(from byte 7\) is not valid JSON: /],
  ['{"a": [1}', /a comma or "]" is missing in "a", at byte 8\.$/],
  ['{"a": [1]] ', /a comma or "}" is missing, at byte 9\.$/],
  ['{"a": 1]', /a comma or "}" is missing, at byte 7\.$/],
  ['{"a": [1] "b": 2}', /a comma or "}" is missing, at byte 10\.$/],
  ['{"a": [1],}', /a key in quotation marks is missing, at byte 10\.$/],
  ["{a: [1]}", /a key in quotation marks is missing, at byte 1\.$/],
  ['{"a" [1]}', /a colon is missing behind the key "a", at byte 5\.$/],
  ['{"a": }', /the value of "a" \(from byte 6\) is not valid JSON/],
  ['{"x": {"y": tru}}', /the value of "x" \(from byte 6\) is not valid JSON/],
  ['{"x": [1, nul]}', /entry 1 of "x" \(from byte 9\) is not valid JSON/],
  ['{"a": ["\n"]}', /entry 0 of "a" \(from byte 7\) is not valid JSON/],
  ["[1] [2]", /more follows behind its end, at byte 4\.$/],
  ["", /^FILE is not valid JSON: /],
  ["\uFEFF", /^FILE is not valid JSON: /],
  ["hello", /^FILE is not valid JSON: /],
])("what is no JSON is refused with its place: %s", async (text, message) => {
  expect(await messageOf(text)).toMatch(message);
});

test("a file that was cut anywhere is refused", async () => {
  const text = Buffer.from('{"a": [{"x": "ü]"}, [1, {}]], "b": {"y": ["\\""]}}');
  for (let length = 0; length < text.length; length++)
    expect(await messageOf(text.subarray(0, length))).toMatch(/is not valid JSON/);
});

test("depth and the length of one entry are bounded, and what no regular file is", async () => {
  for (const [open, shut] of ["[]", "{}"].map((pair) => [pair[0] === "{" ? '{"x":' : "[", pair[1]!] as const))
    for (const [before, after, levels] of [
      ['{"a": [', "]}", 98],
      ["[", "]", 99],
      ['{"b": ', "}", 99],
    ] as const) {
      const nested = (n: number) => `${before}${open.repeat(n)}1${shut.repeat(n)}${after}`;
      writeFileSync(path, nested(levels));
      await readJsonLists(path, { keep: KEEP });
      writeFileSync(path, nested(levels + 1));
      await expect(readJsonLists(path, { keep: KEEP })).rejects.toThrow(/nested deeper than 100 levels/);
    }
  writeFileSync(path, JSON.stringify({ a: [1, "x".repeat(5000)] }));
  await expect(readJsonLists(path, { keep: KEEP, window: { bytes: 64, mostHeld: 4096 } })).rejects.toThrow(
    `${path}: what begins at byte 8 is longer than 4096 bytes.`,
  );
  await expect(readJsonLists(path, { keep: KEEP, window: { most: 100 } })).rejects.toThrow(/no more than 100 are read/);
  await expect(readJsonLists("/dev/null", { keep: KEEP })).rejects.toThrow(/it is a device/);
});

test("what would not fit into memory is refused before the process dies of it", () => {
  writeFileSync(path, `[${"[0.5],".repeat(4_000_000)}[0.5]]`);
  const code = `import { readJsonLists } from ${JSON.stringify(new URL("./jsonLists.ts", import.meta.url).href)};
    const error = await readJsonLists(process.argv[1], { keep: { "": (one) => one } }).catch((one) => one);
    console.log(JSON.stringify([error.name, error.message, error.hint]));`;
  const words = ["--max-old-space-size=150", "--import", "tsx", "--input-type=module", "-e", code, path];
  const [name, message, hint] = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as string[];
  expect(name).toBe("UserError");
  expect(message).toMatch(
    /a\.json needs more memory than Node may use: at its first \d+ MB half of the 157 MB are taken\.$/,
  );
  expect(hint).toContain("--max-old-space-size");
});
