import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, rowsOf, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import { resume, train } from "../run.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "run-report-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = () => tinyRecipe(join(dir, "data"));
const report = (run: string) => readFile(join(run, "report.html"), "utf8");

test("a run has its report after every evaluation and at its end, however it ends", async () => {
  const run = join(dir, "run");
  const seen: boolean[] = [];
  await collect(
    (options) =>
      train(recipe(), {
        run,
        ...options,
        onEvent: (event) => {
          options.onEvent(event);
          if (event.type === "checkpoint" && event.name.startsWith("0000-00000005")) seen.push(true);
        },
      }),
    7,
  );
  expect(seen).toEqual([true]);
  const stopped = await report(run);
  expect(stopped).toContain("Stopped, resumable after 2 of 2 epochs, 7 steps");
  expect(stopped).toContain("data:image/jpeg");
  await collect((options) => resume(run, options));
  expect(await report(run)).toContain("Done after 2 of 2 epochs, 10 steps");
});

test("the report is there from the first step, is read again by a browser while the run goes on, and rests at its end", async () => {
  const run = join(dir, "live");
  const follows = /<meta http-equiv="refresh" content="60">/;
  let first: Promise<string> | undefined;
  const { end } = await collect((options) =>
    train(recipe(), {
      run,
      ...options,
      onEvent: (event) => {
        options.onEvent(event);
        if (event.type === "step" && event.row.step === 2) first = report(run);
      },
    }),
  );
  expect(end.status).toBe("done");
  expect(await first).toMatch(follows);
  expect(await report(run)).not.toMatch(follows);
});

test("a report that cannot be written is told once, and the training goes on to the same rows", async () => {
  const [whole, run] = [join(dir, "whole"), join(dir, "blocked")];
  await collect((options) => train(recipe(), { run: whole, ...options }));
  const { events, end } = await collect((options) =>
    train(recipe(), {
      run,
      ...options,
      onEvent: (event) => {
        options.onEvent(event);
        if (event.type !== "start") return;
        mkdirSync(join(run, "report.html", "in the way"), { recursive: true });
        writeFileSync(join(run, "evaluation"), "in the way");
      },
    }),
  );
  expect(end.status).toBe("done");
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  expect(warnings).toHaveLength(2); // two evaluations and the end, but each thing once
  expect(warnings.sort()).toEqual([
    expect.stringMatching(/^The details of the evaluation could not be kept; the training goes on/),
    expect.stringMatching(/^report.html could not be written; the training goes on/),
  ]);
  expect(await rowsOf(run)).toEqual(await rowsOf(whole));
});
