import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ValRow } from "../events.ts";
import { readEvaluation } from "./evaluation.ts";

let dir: string;
beforeAll(async () => {
  dir = join(await mkdtemp(join(tmpdir(), "evaluation-")), "run");
  await cp("tests/fixtures/run-folder/finished", dir, { recursive: true, verbatimSymlinks: true });
});
afterAll(() => rm(join(dir, ".."), { recursive: true }));

test("a record that lacks a part of what is shown counts for none", async () => {
  const path = join(dir, "evaluation.json");
  const whole = JSON.parse(await readFile(path, "utf8"));
  await rm(join(dir, "evaluation-best.json"));
  const read = async (record: object) => {
    await writeFile(path, JSON.stringify(record));
    return readEvaluation(dir, { rows: [{ split: "val", step: whole.step } as ValRow], best: null });
  };
  const f1 = { threshold: 0.25, f1: 0.5, precision: 0.5, recall: 0.5 };
  expect(await read({ ...whole, f1 })).toMatchObject({ f1 });
  for (const part of [
    { images: undefined },
    { f1: { ...f1, recall: null } },
    { f1Sweep: [{}] },
    { perClass: [{ name: "red" }] },
    { perClass: [null] },
    { confusion: { classes: ["red"], counts: [["1"]] } },
    { pictures: [{ file: "evaluation/5/a.jpg" }] },
  ])
    expect(await read({ ...whole, f1, ...part }), JSON.stringify(part)).toBe(null);
});

test("errors that are none are left out of a record, which stays", async () => {
  const path = join(dir, "evaluation.json");
  const whole = JSON.parse(await readFile(path, "utf8"));
  const errors = {
    ...{ ap: 0.5, falsePositives: 0.1, falseNegatives: 0.2 },
    kinds: [{ kind: "missed", count: 3, cost: 0.2 }],
  };
  const read = async (errors: unknown) => {
    const f1 = { threshold: 0.25, f1: 0.5, precision: 0.5, recall: 0.5 };
    await writeFile(path, JSON.stringify({ ...whole, f1, f1Sweep: [], pictures: [], errors }));
    return readEvaluation(dir, { rows: [{ split: "val", step: whole.step } as ValRow], best: null });
  };
  expect((await read(errors))!.errors).toEqual(errors);
  for (const other of [
    undefined,
    3,
    {},
    { ...errors, ap: "1" },
    { ...errors, kinds: [{ kind: "<b>", count: 1, cost: 0 }] },
  ])
    expect((await read(other))!.errors).toBeNull();
});
