// What a report shows of errors, from the figures to the pictures.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportRun } from "../src/train/record/report.ts";
import { writeLongRun } from "./support/longRun.ts";

let dir: string;
const run = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "error-report-"));
  await writeLongRun(run("long"), { epochs: 3, images: 12 });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("what each kind of error costs stands in sentences; a record without errors has no such section", async () => {
  const text = await readFile(await reportRun(run("long")), "utf8");
  const section = text.slice(text.indexOf('<section id="errors"'), text.indexOf('<section id="pictures"'));
  expect(section).toMatch(
    /Most is lost to one kind: [a-z ]+\. Without it AP50 would be 0\.\d{3} instead of 0\.\d{3}\./,
  );
  for (const name of ["Wrong class", "Badly placed", "Both", "Double", "False alarm", "Missed"])
    expect(section).toContain(`<dt>${name}</dt>`);
  expect(section).toMatch(/Detections where there is no object: [\d,]+\./);
  const path = join(run("long"), "evaluation.json");
  const record = await readFile(path, "utf8");
  const best = join(run("long"), "evaluation-best.json");
  for (const file of [path, best]) await writeFile(file, JSON.stringify({ ...JSON.parse(record), errors: null }));
  expect(await readFile(await reportRun(run("long")), "utf8")).not.toContain('<section id="errors"');
  for (const file of [path, best]) await writeFile(file, record);
});
