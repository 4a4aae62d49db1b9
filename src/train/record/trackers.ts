// The places besides metrics.jsonl that a run is shown in: TensorBoard, W&B.

import type { TrainEvent } from "../../run/events.ts";
import { runTitle } from "../../run/runFolder.ts";
import { openTensorboard } from "../../track/tensorboard/tensorboard.ts";
import type { Tracker } from "../../track/tracker.ts";
import { openWandb } from "../../track/wandb/tracker.ts";
import type { Run } from "../liveRun.ts";

/** Open what the recipe asks for. Their trouble becomes warnings of the run, and goes to its log. */
export function openTrackers(
  { dir, recipe, environment, progress, log }: Pick<Run, "dir" | "recipe" | "environment" | "progress" | "log">,
  onEvent?: (event: TrainEvent) => void,
): Tracker {
  const options = {
    ...{ dir, name: runTitle({ name: recipe.name, dir }), recipe, environment, step: progress.step },
    onNotice: (message: string, level: keyof typeof EVENT_OF) => {
      log[level](message);
      onEvent?.({ type: EVENT_OF[level], message });
    },
  };
  const { tensorboard, wandb } = recipe.track;
  return all([
    ...(tensorboard ? [openTensorboard(options)] : []),
    ...(wandb === "none" ? [] : [openWandb({ ...options, wandb })]),
  ]);
}

const EVENT_OF = { debug: "debug", info: "notice", warn: "warning" } as const;

/** Several as one. */
function all(trackers: Tracker[]): Tracker {
  return {
    row: (row) => trackers.forEach((one) => void one.row(row)),
    pictures: (at, pictures) => trackers.forEach((one) => void one.pictures(at, pictures)),
    histograms: (at, histograms) => trackers.forEach((one) => void one.histograms(at, histograms)),
    close: async (status) => {
      await Promise.all(trackers.map((one) => one.close(status)));
    },
  };
}
