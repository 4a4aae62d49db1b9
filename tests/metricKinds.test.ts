// A second kind of metric is a line of the table: recipe, selection, rows, tables and pages have its names from there.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { bySummary } from "../src/instance/metrics.ts";
import { recipeSchema } from "../src/recipe/schema.ts";
import { compareRuns } from "../src/report/comparison.ts";
import { runPage } from "../src/report/runPage.ts";
import { runSeries } from "../src/report/series.ts";
import type { MetricsRow, ValRow } from "../src/run/events.ts";
import { resultsCsv } from "../src/run/records/resultsCsv.ts";
import { readRunFolder } from "../src/run/runFolder.ts";
import { selection } from "../src/run/selection.ts";
import { summaryOf } from "../src/track/wandb/folder/rows.ts";
import { writeLongRun } from "./support/longRun.ts";

vi.mock("../src/instance/metricKinds.ts", () => ({
  KINDS: {
    box: { prefix: "", summary: ["AP50:95", "AP50", "AP75", "AR"] },
    segm: { prefix: "segm ", summary: ["AP50:95", "AP50"] },
  },
}));

/** An evaluation whose masks are the better the worse its boxes are. */
function evaluated(step: number, score: number): ValRow {
  const values = bySummary((name) => (name.startsWith("segm ") ? 1 - score : score));
  const classes = { per_class: { tree: score }, "segm per_class": { tree: 1 - score } };
  return { step, epoch: step - 1, split: "val", ...values, ...classes };
}

const rows: MetricsRow[] = [evaluated(1, 0.5), evaluated(2, 0.75), evaluated(3, 0.25)];
const by = (metric: string) => ({ early_stopping: { metric } });

test("a recipe may choose by it, and the best is the best by it", () => {
  const read = (metric: string) => recipeSchema.shape.early_stopping.parse({ metric });
  expect(read("segm AP50:95")).toMatchObject({ metric: "segm AP50:95" });
  expect(read("segm AP:tree")).toMatchObject({ metric: "segm AP:tree" });
  expect(() => read("segm AP75")).toThrow(/AP50:95, AP50, AP75, AR, segm AP50:95, segm AP50, or AP:NAME/);
  const best = (metric: string) => selection(by(metric)).best(rows)?.step;
  expect(["AP50:95", "segm AP50:95", "AP:tree", "segm AP:tree"].map(best)).toEqual([2, 3, 2, 3]);
});

test("rows, tables and trackers have its columns", () => {
  expect(Object.keys(evaluated(1, 0))).toContain("segm AP50:95");
  const [header, first] = resultsCsv(rows).split("\n");
  expect(header).toContain("val/AR,val/segm AP50:95,val/segm AP50");
  expect(first).toBe("0,1,0.5,0.5,0.5,0.5,0.5,0.5");
  expect(runSeries(rows).val.values["segm AP50:95"]).toEqual([0.5, 0.25, 0.75]);
  const summary = summaryOf(rows, { metric: "segm AP:tree" });
  expect(summary).toMatchObject({ "best/step": 3, "best/segm AP50:95": 0.75, "val/segm per_class/tree": 0.75 });
  expect(Object.keys(summary)).not.toContain("best/segm per_class/tree");
});

test("a run's page and a comparison show it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "kinds-"));
  try {
    await writeLongRun(dir);
    const run = await readRunFolder(dir);
    const more = { ...run, rows, best: rows[1] as ValRow };
    const page = await runPage(more, { pictures: new Map() });
    expect(page).toContain("<dt>segm AP50:95</dt><dd>0.250");
    expect(page).toContain('"summary":["AP50:95","AP50","AP75","AR","segm AP50:95","segm AP50"]');
    expect(page).toContain('"main":"segm AP50:95","lenient":"segm AP50","perClass":"segm per_class"');
    expect(page.indexOf("<dt>segm AP50:95")).toBeLessThan(page.indexOf("<dt>AP50:95")); // masks come first
    expect(page).toContain('data-chart="ap-masks"');
    expect(page).toContain("Average precision of boxes");
    expect(page).toContain('"perClass":{"tree":[0.5,0.25,0.75]}');
    const { classes, class_metric } = compareRuns(more, more);
    expect(class_metric).toBe("segm AP50:95");
    expect(classes).toEqual([{ name: "tree", a: 0.25, b: 0.25, change: 0 }]);
    const boxes = compareRuns(more, { ...run, rows: run.rows });
    expect(boxes.class_metric).toBe("AP50:95"); // masks were measured in one of them only
    expect(compareRuns(more, more).metrics.map(({ name }) => name)).toContain("segm AP50:95");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
