import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeLongRun } from "../../tests/support/longRun.ts";
import { readRunFolder } from "../run/runFolder.ts";
import { runPage } from "./runPage.ts";

test("a term of the loss that is not known is shown under its own name", async () => {
  const dir = await mkdtemp(join(tmpdir(), "terms-"));
  try {
    await writeLongRun(dir, { epochs: 2, classes: ["only"], images: 1 });
    const metrics = join(dir, "metrics.jsonl");
    const more = '"loss_pose":0.5,"loss_pose_0":0.6,"loss_pose_oks":0.7,"loss_ce"';
    await writeFile(metrics, (await readFile(metrics, "utf8")).replaceAll('"loss_ce"', more));
    const text = await runPage(await readRunFolder(dir), { pictures: new Map() });
    const shown = [...text.matchAll(/<figure data-chart="(loss-[^"]+)">\s*<figcaption><h3>([^<]+)/g)];
    expect(shown.map(([, name, title]) => [name, title])).toEqual([
      ["loss-ce", "Classes"],
      ["loss-bbox", "Boxes, L1"],
      ["loss-giou", "Boxes, GIoU"],
      ["loss-pose", "loss_pose"],
      ["loss-pose_oks", "loss_pose_oks"],
    ]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
