// A dry run: the whole way of a training on a handful of images, in a scratch folder that does not stay.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listCheckpoints, verifyCheckpoint } from "../../checkpoint/store/store.ts";
import type { Recipe } from "../../recipe/schema.ts";
import type { TrainEvent } from "../../run/events.ts";
import { runFiles } from "../../run/files.ts";
import { UserError } from "../../util/errors.ts";
import type { TrainOptions } from "../ending/follow.ts";
import { resume, train } from "../run.ts";

/** One thing that was tried and worked. */
export type DryRunPart = { part: string; detail: string; seconds: number };

export type DryRunOptions = TrainOptions & {
  overfit?: number | undefined;
  /** Called when a part has worked. */
  onPart?: (part: DryRunPart) => void;
};

/**
 * Try a recipe with its own weights and data, but one batch a step and two validation images: a step, a checkpoint, a stop,
 * a real resume, another step, an evaluation, a last checkpoint, the export. Nothing is left behind. Throws what the run would throw.
 */
export async function dryRun(
  recipe: Recipe,
  { signal, overfit, onEvent, onPart }: DryRunOptions = {},
): Promise<{ parts: DryRunPart[]; seconds: number }> {
  const scratch = await mkdtemp(join(tmpdir(), "rfdetr-dry-run-"));
  const run = join(scratch, "run");
  const short = shortened(recipe);
  const parts: DryRunPart[] = [];
  let refused: string | undefined;
  const began = performance.now();
  let before = began;
  const worked = (part: string, detail: string) => {
    signal?.throwIfAborted();
    const now = performance.now();
    parts.push({ part, detail, seconds: (now - before) / 1000 });
    before = now;
    onPart?.(parts.at(-1)!);
  };
  const watch = (event: TrainEvent) => {
    onEvent?.(event);
    if (event.type === "step") worked("step", `step ${event.row.step}, loss ${event.row.loss.toFixed(3)}`);
    if (event.type === "checkpoint") worked("save", `checkpoint ${event.name}`);
  };
  try {
    const stop = new AbortController();
    const stopping = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const first = train(short, {
      ...{ run, overfit, dryRun: true, signal: stopping },
      onEvent: (event) => {
        if (event.type === "start") worked("start", "recipe, data, weights and model");
        watch(event);
        if (event.type === "step") stop.abort();
      },
    });
    for await (const _ of first); // it stops after its first step
    const rest = resume(run, {
      ...{ dryRun: true, signal },
      onEvent: (event) => {
        if (event.type === "start") worked("resume", "from the checkpoint");
        watch(event);
        if (event.type === "row" && event.row.split === "val") worked("evaluation", "of the validation images");
        if (event.type === "notice" && event.exported !== undefined)
          worked("export", event.message.replace(/ \([\d.]+ s\)$/, ""));
        if (event.type === "warning") refused ??= event.refused;
      },
    });
    for await (const _ of rest);
    signal?.throwIfAborted();
    if (refused !== undefined) throw new UserError(refused);
    const dir = runFiles(run).checkpoints;
    for (const { name } of await listCheckpoints(dir)) await verifyCheckpoint(join(dir, name));
    worked("verify", "the files of the checkpoints agree with their sums");
    return { parts, seconds: (performance.now() - began) / 1000 };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Two steps, one evaluation at the end; nothing leaves the machine. */
function shortened(recipe: Recipe): Recipe {
  return {
    ...recipe,
    train: { ...recipe.train, epochs: Math.max(2, recipe.train.epochs), max_steps: 2, max_hours: null },
    eval: { ...recipe.eval, every_epochs: Number.MAX_SAFE_INTEGER },
    selection: { ...recipe.selection, skip_best_epochs: 0 },
    early_stopping: recipe.early_stopping === "none" ? "none" : { ...recipe.early_stopping, patience: 2 },
    checkpoint: { ...recipe.checkpoint, every_epochs: null, every_steps: null },
    track: { ...recipe.track, wandb: "none" },
  };
}
