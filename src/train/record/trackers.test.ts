import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { loadBackend } from "../../engine/backend.ts";
import { readRecords } from "../../track/tensorboard/tfrecord.ts";
import { train } from "../run.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "trackers-"));
  await tinyDataset(join(dir, "data"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Everything in a run's event files as text, in which tags can be found. */
async function eventText(run: string): Promise<string> {
  const folder = join(run, "tensorboard");
  let text = "";
  for (const name of await readdir(folder))
    for await (const record of readRecords(join(folder, name))) text += Buffer.from(record).toString("latin1");
  return text;
}

const count = (text: string, tag: string) => text.split(tag).length - 1;

test("a run's event files have every row, and histograms of each weight's gradient where they are asked for", async () => {
  const run = join(dir, "histograms");
  const changes = { train: { max_steps: 4 }, track: { every_steps: 2, gradient_histograms: true } };
  await collect((options) => train(tinyRecipe(join(dir, "data"), changes), { run, ...options }));
  const text = await eventText(run);
  expect(count(text, "train/loss_giou_enc")).toBe(2);
  expect(count(text, "val/AP50:95")).toBe(1);
  expect(count(text, "gradients/heads.class.weight")).toBe(2);
  expect(count(text, "gradients/backbone.blocks.0.norm1.bias")).toBe(2);
});

test("there are no histograms and no event files where nobody asked", async () => {
  const run = join(dir, "plain");
  const changes = { train: { max_steps: 1 }, track: { every_steps: 1 } };
  await collect((options) => train(tinyRecipe(join(dir, "data"), changes), { run, ...options }));
  expect(count(await eventText(run), "gradients/")).toBe(0);
  const off = { ...changes, track: { ...changes.track, tensorboard: false } };
  await collect((options) => train(tinyRecipe(join(dir, "data"), off), { run: join(dir, "off"), ...options }));
  expect(await readdir(join(dir, "off"))).not.toContain("tensorboard");
});
