// What several workers learn together: what one process learns.

import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { readWeightsFile } from "../src/checkpoint/weightsFile.ts";
import { freeAddresses } from "../src/cli/launch/launchWorkers.ts";
import { clusterOf } from "../src/distributed/cluster.ts";
import type { MetricsRow } from "../src/run/events.ts";
import { toFloat32 } from "../src/util/hostTensor.ts";
import { launch } from "./support/launcher.ts";
import { expectSameRun, tinyDataset } from "./support/tinyRun.ts";
import { runWorkers, trainRowsOf, workersFolder, writeTiny } from "./support/workers.ts";

const shared = workersFolder();

const evaluated = (rows: readonly MetricsRow[]) => rows.filter(({ split }) => split !== "train");

async function weights(folder: string, checkpoint: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await readWeightsFile(join(folder, "checkpoints", checkpoint, "model.safetensors"));
  return new Map([...tensors].map(([name, tensor]) => [name, toFloat32(tensor)]));
}

const timeless = (rows: readonly MetricsRow[]) => rows.map(({ time: _, ...row }) => row);

const norm = (list: Iterable<number>) => Math.sqrt([...list].reduce((sum, value) => sum + value * value, 0));

describe("several workers", () => {
  test("learn what one process learns, and evaluate to the same metrics", async () => {
    const alone = await runWorkers(shared, "alone", { workers: 1 });
    expect(alone.code, alone.err).toBe(0);
    const start = await weights(alone.folder, "0000-00000000");
    const end = await weights(alone.folder, "last");
    const moved = norm(
      [...end].flatMap(([name, values]) => [...values].map((value, i) => value - start.get(name)![i]!)),
    );
    for (const workers of [2, 3, 4]) {
      const together = await runWorkers(shared, `together-${workers}`, { workers: workers });
      expect(together.code, together.out + together.err).toBe(0);
      expect(together.out).toMatch(new RegExp(`Workers: ${workers}, each computes ${12 / workers} batch`));
      expect(together.out).toMatch(workers === 2 ? /the result but for rounding/ : /the result to the byte/);
      if (workers > 2) await expectSameRun(alone.folder, together.folder); // else more batches than are kept apart
      for (const [i, row] of trainRowsOf(together.rows).entries()) {
        const { loss, grad_norm, class_error } = trainRowsOf(alone.rows)[i]!;
        expect(Math.abs(row.loss / loss - 1)).toBeLessThan(1e-5);
        expect(Math.abs(row.grad_norm / grad_norm - 1)).toBeLessThan(1e-4);
        expect(row.class_error).toBeCloseTo(class_error, 3);
      }
      expect(trainRowsOf(together.rows)).toHaveLength(trainRowsOf(alone.rows).length);
      const theirs = await weights(together.folder, "last");
      const apart = norm(
        [...end].flatMap(([name, values]) => [...values].map((value, i) => value - theirs.get(name)![i]!)),
      );
      expect(apart / moved).toBeLessThan(1e-3);
      const files = (folder: string) => readdir(folder).then((names) => names.sort());
      expect(await files(together.folder)).toEqual(await files(alone.folder));
    }
  }, 180_000);

  test("look at each image once: AP and loss of the same weights are identical with 1, 2 and 3 workers", async () => {
    const words = [
      "--set",
      `weights=${join(shared.dir, "alone")}`,
      "--set",
      "train.lr=0",
      "--set",
      "train.lr_encoder=0",
    ];
    const runs = [];
    for (const workers of [1, 2, 3]) runs.push(await runWorkers(shared, `ap-${workers}`, { workers: workers, words }));
    for (const { rows, err } of runs) {
      expect(evaluated(rows).length, err).toBe(2);
      expect(timeless(evaluated(rows))).toEqual(timeless(evaluated(runs[0]!.rows)));
    }
  }, 120_000);

  test("divide a batch where a step has fewer batches than workers", async () => {
    const file = await writeTiny(shared, "one-batch", { train: { epochs: 1, grad_accum_steps: 1 } });
    const words = ["--set", "data.batch_size=4"];
    const [alone, together] = [
      await runWorkers(shared, "one-1", { workers: 1, file, words }),
      await runWorkers(shared, "one-2", { workers: 2, file, words }),
    ];
    expect(together.out, together.err).toMatch(/Workers: 2, each computes 1 batch of 2 of the 4 images of a step/);
    for (const [i, { loss }] of trainRowsOf(together.rows).entries())
      expect(Math.abs(loss / trainRowsOf(alone.rows)[i]!.loss - 1)).toBeLessThan(1e-5);
  }, 60_000);

  test("train a segmenter, staged, with masks and recorded steps", async () => {
    await tinyDataset(join(shared.dir, "masks"), { masks: true });
    const masks = { "data.dir": join(shared.dir, "masks"), "model.segmentation_head": true, "train.drop_path": 0.2 };
    const words = Object.entries(masks).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const stages = [
      { from_epoch: 0, train: ["heads"] },
      { from_epoch: 1, train: ["all"] },
    ];
    const file = await writeTiny(shared, "staged", {
      train: { epochs: 2, grad_accum_steps: 2, stages, compile: "graph" },
    });
    const [alone, together] = [
      await runWorkers(shared, "seg-1", { workers: 1, file, words }),
      await runWorkers(shared, "seg-2", { workers: 2, file, words }),
    ];
    expect(together.code, together.err).toBe(0);
    await expectSameRun(alone.folder, together.folder);
  }, 120_000);

  test.each([
    ["two take turns", 2, [true, [1, 2], [4]]],
    ["nine are too many for that", 9, [false, [36, 9], [18]]],
  ])(
    "sum up all the same, by requests whose ids are ours: %s",
    async (_, count, sums) => {
      const source = (path: string) =>
        JSON.stringify(pathToFileURL(join(import.meta.dirname, "..", "dist", path)).href);
      const code = `
      import { loadDistributedAddon } from ${source("engine/distributedAddon.js")};
      import { joinWorkers } from ${source("distributed/runtime.js")};
      import { EAGER } from ${source("engine/recording/recorder.js")};
      import * as tf from "@tensorflow/tfjs-core";
      const [list, rank] = process.argv.slice(-2);
      const addon = loadDistributedAddon();
      const workers = await joinWorkers({ workers: list.split(","), rank: Number(rank) });
      const before = addon.state().ids;
      const own = [tf.tensor1d([Number(rank), 1]), tf.scalar(2)];
      const sums = await workers.sumBatches([own], EAGER);
      const isOurs = addon.state().ids > before;
      console.log(JSON.stringify([isOurs, workers.inOrder, ...sums.map((sum) => [...sum.dataSync()])]));
      workers.sum([0]); // none goes before all are done
      process.exit(0);`;
      const words = ["--input-type=module", "-e", code];
      const addresses = await freeAddresses(count);
      const cwd = join(import.meta.dirname, "..");
      const ends = addresses.map((_, rank) => promisify(execFile)(process.execPath, [...words, addresses.join(","), String(rank)], { cwd })); // biome-ignore format: one line
      for (const { stdout } of await Promise.all(ends)) expect(JSON.parse(stdout)).toEqual([true, ...sums]);
    },
    120_000,
  );
});

test("a process alone loads nothing of it", async () => {
  const file = join(shared.dir, "alone.mjs");
  const module = pathToFileURL(join(import.meta.dirname, "..", "dist", "index.js")).href;
  await writeFile(
    file,
    `import { readFileSync } from "node:fs";
     import { loadRecipe, train } from ${JSON.stringify(module)};
     const recipe = await loadRecipe(${JSON.stringify(shared.recipe)});
     for await (const _ of train(recipe, { run: ${JSON.stringify(join(shared.dir, "maps"))} })) break;
     const maps = readFileSync("/proc/self/maps", "utf8");
     console.log(/tfjs_binding/.test(maps), /rfdetr_distributed/.test(maps));`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  expect(stdout.trim()).toBe("true false");
}, 60_000);

test("the examples for clusters can be read, and ask for options that there are", async () => {
  const examples = join(import.meta.dirname, "..", "examples");
  const documents = parseAllDocuments(await readFile(join(examples, "kubernetes", "train.yaml"), "utf8"));
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  const kinds = Object.fromEntries(documents.map((document) => [document.toJS().kind, document.toJS()]));
  const { completions, template } = kinds.Job.spec;
  const [{ env, args }] = template.spec.containers;
  const { workers } = clusterOf({ workers: env[0].value, rank: completions - 1 }, {})!;
  const { name } = kinds.Service.metadata;
  expect(workers).toEqual(
    Array.from({ length: completions }, (_, i) => `${kinds.Job.metadata.name}-${i}.${name}:2222`),
  );
  expect(kinds.NetworkPolicy.spec.ingress[0].ports[0].port).toBe(2222);
  const script = join(examples, "slurm", "train.sh");
  await promisify(execFile)("bash", ["-n", script]);
  const { out } = await launch(["--help"]);
  for (const text of [args[0], /srun (.*)/.exec(await readFile(script, "utf8"))![1]!])
    for (const [option] of text.slice(text.indexOf("rfdetr-train")).matchAll(/--[a-z-]+/g))
      expect(out).toContain(option);
}, 30_000);
