// The folder of a run that was never trained: what trackers read of it, and nothing else.

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MetricsRow, TrainRow } from "../../src/run/events.ts";

/** A run of two epochs with three training rows each, an evaluation and a checkpoint at the end of each; the first is the best. */
export const RECORDED_ROWS: readonly MetricsRow[] = [0, 1].flatMap((epoch) => [
  ...[1, 2, 3].map((i) => {
    const step = 10 * (3 * epoch + i);
    return { step, epoch, split: "train", loss: 1 / step, loss_ce: 2 / step, lr: 1e-4 } as unknown as TrainRow;
  }),
  {
    ...{ step: 30 * (epoch + 1), epoch, split: "val", "AP50:95": 0.5 - epoch / 4, AP50: 0.75, AP75: null, AR: 0.125 },
    per_class: { 'oak/"red"': 0.5, "": null },
  },
]);

const RECIPE = `name: trees
seed: 7
train: { lr: 0.0001, stages: null }
early_stopping: none
track: { wandb: { project: forest, entity: null, mode: offline } }
`;

export async function recordedRun(dir: string): Promise<void> {
  const lines = (entries: readonly object[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  await write(join(dir, "metrics.jsonl"), lines(RECORDED_ROWS));
  await write(join(dir, "recipe.yaml"), RECIPE);
  await write(join(dir, "environment.json"), JSON.stringify({ node: "20.20.2", cpu: { cores: 2 } }));
  const log = ["started", "evaluated", "checkpoint", "done"];
  await write(
    join(dir, "log.jsonl"),
    lines(
      log.map((msg, i) => ({ level: 30, time: `2026-03-04T05:06:${String(7 + 10 * i).padStart(2, "0")}.250Z`, msg })),
    ),
  );
  for (const [i, name] of ["0000-00000030", "0001-00000060"].entries()) {
    const folder = join(dir, "checkpoints", name);
    const manifest = { format: 1, epoch: i, step: 30 * (i + 1), score: 0.5 - i / 4 };
    await write(join(folder, "manifest.json"), JSON.stringify(manifest));
    for (const part of ["model", "ema", "optimizer"])
      await write(join(folder, `${part}.safetensors`), `${part} ${name}`);
  }
  await symlink("0000-00000030", join(dir, "checkpoints", "best"));
  await symlink("0001-00000060", join(dir, "checkpoints", "last"));
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
