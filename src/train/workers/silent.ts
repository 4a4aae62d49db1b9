// A run as a worker has it that writes nothing: only the first one writes the run's folder.

import type { DiskReserve } from "../../checkpoint/store/reserve.ts";
import type { Log } from "../../run/log.ts";
import type { MetricsFile } from "../../run/records/metricsFile.ts";
import type { Tracker } from "../../track/tracker.ts";
import type { Run } from "../liveRun.ts";

const nothing = () => {};

const LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, close: nothing };

const METRICS: MetricsFile = {
  ...{ rows: 0, cut: { tornBytes: 0, rows: 0 } },
  append: async () => {},
  sync: async () => {},
  close: async () => {},
};

const RESERVE: DiskReserve = {
  bytes: 0,
  hold: async () => undefined,
  fits: async () => true,
  release: async () => false,
  fact: async () => ({ name: "Disk", value: "worker 0 writes the run" }),
};

const TRACKER: Tracker = { row: nothing, pictures: nothing, histograms: nothing, close: async () => {} };

export const SILENT: Pick<Run, "log" | "metrics" | "reserve" | "tracker"> = {
  ...{ log: LOG, metrics: METRICS, reserve: RESERVE, tracker: TRACKER },
};
