// What a run keeps of itself as it goes: all of it in the process that writes the run's folder, nothing in others that train along.

import type { TrainEvent } from "../../run/events.ts";
import type { Run } from "../liveRun.ts";
import { record, recordResults } from "../record/record.ts";
import { conclude, followRun, keepEvaluation } from "../record/report.ts";
import { saveProgress } from "../record/saving.ts";
import { keepSeen } from "../seen/keepSeen.ts";
import { leaveStage } from "../stages/stageChange.ts";

const KEEPER = { keepSeen, record, followRun, saveProgress, keepEvaluation, recordResults, conclude };

type Keeper = typeof KEEPER;

const nothing = async function* () {};
const unsaid = async (): Promise<TrainEvent> => ({ type: "debug", message: "worker 0 writes the run" });

const SILENT_KEEPER: Keeper = {
  keepSeen: nothing,
  record: async (_run, row) => ({ type: "row", row }),
  followRun: nothing,
  saveProgress: unsaid,
  keepEvaluation: nothing,
  recordResults: async () => {},
  conclude: async function* (run, status) {
    yield* leaveStage(run);
    yield run.end(status);
  },
};

export function keeperOf({ workers }: Pick<Run, "workers">): Keeper {
  return workers.isFirst ? KEEPER : SILENT_KEEPER;
}
