import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { ValRow } from "../../run/events.ts";
import type { FileRecord } from "../../run/records/exported.ts";
import { resume, train } from "../run.ts";
import { dryRun } from "../verbs/dryRun.ts";
import { exportRun } from "./runExport.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "run-export-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = () => tinyRecipe(join(dir, "data"), { export: { onnx: true } });

test("a run ends with its best weights as a verified ONNX file, and makes it again where it is missing", async () => {
  const run = join(dir, "run");
  const { rows, events } = await collect((options) => train(recipe(), { run, ...options }));
  const notice = events.at(-2);
  expect(notice).toMatchObject({ type: "notice", message: expect.stringContaining("Exported model.onnx") });
  expect(events.at(-1)).toMatchObject({ type: "end", status: "done" });
  const { files } = JSON.parse(await readFile(join(run, "export.json"), "utf8")) as { files: FileRecord[] };
  expect(files).toMatchObject([{ file: "model.onnx", verified: { on: "the run's validation images", images: 3 } }]);
  const best = Math.max(...rows.filter((row): row is ValRow => row.split === "val").map((row) => row["AP50:95"] ?? 0));
  expect(files[0]!.verified!["AP50:95"]!.file).toBeCloseTo(best, 3);

  await rm(join(run, "model.onnx"));
  const again = await collect((options) => resume(run, options));
  expect(again.rows).toEqual([]);
  expect(again.events[0]).toMatchObject({ type: "notice", message: expect.stringContaining("Exported model.onnx") });
  expect((await collect((options) => resume(run, options))).events).toHaveLength(2); // it is there now

  const record = join(run, "export.json");
  const changed = (await readFile(record, "utf8")).replace(files[0]!.weights.sha256, "0".repeat(64));
  await writeFile(record, changed); // as if other weights had been the best when it was exported
  const third = await collect((options) => resume(run, options));
  expect(third.events[0]).toMatchObject({ type: "notice", message: expect.stringContaining("Exported model.onnx") });
});

test("an export that fails or is stopped is a warning that says how to try again", async () => {
  const message = async (options = {}) => {
    const events = [];
    for await (const event of exportRun(join(dir, "none"), recipe(), options)) events.push(event);
    expect(events).toMatchObject([{ type: "warning" }]);
    return events[0]!.message;
  };
  expect(await message()).toMatch(
    /model\.onnx was not written: There are no weights .*none.* Try again with: rfdetr-train export --weights/,
  );
  expect(await message({ signal: AbortSignal.abort() })).toMatch(/was not written: it was stopped\. Try again/);
});

test("a dry run tries the export, too", async () => {
  const { parts } = await dryRun(recipe());
  expect(parts.map(({ part }) => part).slice(-3)).toEqual(["save", "export", "verify"]);
});
