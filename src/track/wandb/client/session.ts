// A run that is open at W&B: where its history stands, rows that go there, and its end.

import type { HistoryRow } from "../folder/rows.ts";
import { runAddress } from "./credentials.ts";
import { type FileStream, loadSdk, type SdkRun, type StreamData } from "./sdk.ts";
import type { WandbTiming } from "./timing.ts";
import { Refused, type Transport } from "./transport.ts";

export type Session = {
  /** Address of the run's page. */
  page: string;
  /** The last step that the server has; -1 where it has none. */
  lastStep: number;
  /** Send a row of a later step than all before; for the last step that the server has, its row is written again. */
  push(row: SentRow): void;
  /** Whether the server lacks something of this row, which is of the last step that it has. */
  isNews(row: HistoryRow): boolean;
  /** Send a sample of the machine's load; left out while many wait. */
  sample(values: Record<string, number>): void;
  /** Rows that were pushed and have not arrived. */
  waiting(): number;
  /** Addresses that files are uploaded to. */
  uploadAddresses(paths: string[]): Promise<{ addresses: Map<string, string>; headers: Record<string, string> }>;
  /** Send what waits soon. */
  hurry(): void;
  /** Tell the server that the run is over. Resolves when it knows. */
  finish(exitCode: number): Promise<void>;
};

/** A step as it is sent: numbers, pictures, histograms. */
type SentRow = { _step: number; [key: string]: unknown };

export type SessionOptions = {
  transport: Transport;
  wandb: { project: string; entity: string | null; baseUrl: string; apiKey: string };
  id: string;
  name: string;
  config: Record<string, unknown>;
  timing: WandbTiming;
  /** When the run began and ended, where it is over: then rows that have no time of their own are sent without one. */
  times?: { started: number; ended: number } | undefined;
  /** The summary of the run up to the rows that were pushed. */
  summary(): Record<string, unknown>;
  /** Rows have arrived. */
  onDelivered(): void;
  /** The server has refused something, for good. */
  onRefused(error: Error): void;
};

const ROWS = "wandb-history.jsonl";
const SUMMARY = "wandb-summary.json";
const SAMPLES = "wandb-events.jsonl";
const ROWS_A_REQUEST = 100;
const MOST_SAMPLES_WAITING = 40;

/** Open the run under its id: a new one, or the one that is there. Rejects with Refused where the server does not want it. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { transport, wandb, id, name, config, timing } = options;
  const before = await resumeState(transport, { project: wandb.project, entity: wandb.entity, id });
  let refuse: (error: Error) => void = options.onRefused;
  const refused = new Promise<never>((_, reject) => {
    refuse = (error) => {
      reject(error);
      options.onRefused(error);
    };
  });
  refused.catch(() => {}); // reported through onRefused once the run is open
  let opened = performance.now();
  let hurried = false;
  let [pushed, delivered, samples] = [0, 0, 0];
  const times = new Map<number, OwnTimes>();
  const sdk = await loadSdk({
    transport,
    beforeSend: ({ files }) => {
      const over = options.times;
      const rows = files?.[ROWS];
      if (rows) rows.content = rows.content.map((line) => withOwnTimes(line, times, { keep: !over }));
      const summary = files?.[SUMMARY];
      if (!summary) return;
      const own = JSON.parse(summary.content[0]!) as Record<string, unknown>; // has the times that the library adds
      const ending = over && { _timestamp: over.ended / 1000, _runtime: (over.ended - over.started) / 1000 };
      summary.content = [JSON.stringify({ ...before.summary, ...own, ...ending, ...options.summary() })];
    },
    afterSend: ({ files }: StreamData) => {
      delivered += files?.[ROWS]?.content.length ?? 0;
      samples -= files?.[SAMPLES]?.content.length ?? 0;
      options.onDelivered();
    },
    onRefused: refuse,
    pause: () => (hurried ? 20 : timing.sendEvery * patience((performance.now() - opened) / timing.sendEvery)),
  });
  const wrapped = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value }]));
  const { baseUrl, apiKey } = wandb;
  const settings = { baseUrl, apiKey, silent: true, offline: false } as const;
  const names = { project: wandb.project, entity: wandb.entity ?? "", id, name };
  const run = await Promise.race([sdk.init({ ...names, config: wrapped, settings }), refused]);
  opened = performance.now();

  const { filestream, api, delay } = run._messenger.sender;
  resume(run, filestream, before);
  filestream.MAX_ITEMS = ROWS_A_REQUEST;
  delay.ms = Math.min(200, timing.sendEvery);
  let sampleOffset = before.samples;
  return {
    page: runAddress(baseUrl, run),
    lastStep: before.lastStep,
    push: (row) => {
      pushed++;
      const { _timestamp, _runtime } = row;
      if (typeof _timestamp === "number" && typeof _runtime === "number") {
        times.set(row._step, { _timestamp, _runtime });
        filestream.started = 1000 * (_timestamp - _runtime); // what the machine's load is counted from, too
      }
      if (row._step === before.lastStep) {
        const content = [JSON.stringify({ ...before.tail, ...row })];
        filestream.bufferRecord({ [ROWS]: { content, offset: before.rows - 1 } });
      } else {
        run.log({ ...row }, row._step); // the library writes into what it is given
      }
    },
    isNews: (row) => Object.keys(row).some((key) => !(key in before.tail)),
    sample: (values) => {
      if (samples >= MOST_SAMPLES_WAITING) return;
      samples++;
      const runtime = (Date.now() - filestream.started) / 1000;
      const line = JSON.stringify({ ...values, _timestamp: Date.now() / 1000, _runtime: runtime, _wandb: true });
      filestream.bufferRecord({ [SAMPLES]: { content: [line], offset: sampleOffset++ } });
    },
    waiting: () => pushed - delivered,
    uploadAddresses: async (files) => {
      const { model } = await api.uploadUrls({ name: run.project, entity: run.entity, run: run.id, files });
      const found = model?.bucket?.files;
      if (!found) throw new Refused("no addresses for uploads");
      const headers = (found.uploadHeaders ?? []).map((header) => header.split(/:\s*(.*)/s).slice(0, 2));
      const addresses = new Map(found.edges.map(({ node }) => [node.name, node.url]));
      return { addresses, headers: Object.fromEntries(headers) as Record<string, string> };
    },
    hurry: () => {
      hurried = true;
      delay.ms = 20;
      delay.cancel();
      filestream.delay.cancel();
    },
    finish: (exitCode) => run.finish(exitCode),
  };
}

/** When a row was written, in seconds since 1970 and since the run began. */
type OwnTimes = { _timestamp: number; _runtime: number };

/** The library writes into every row when it was sent: the row's own times take their place. `keep`: where it has none, they stay. */
function withOwnTimes(line: string, times: Map<number, OwnTimes>, { keep }: { keep: boolean }): string {
  const { _runtime, _timestamp, ...row } = JSON.parse(line) as Record<string, unknown>;
  const own = times.get(Number(row._step));
  if (!own && keep) return line;
  times.delete(Number(row._step));
  return JSON.stringify({ ...row, ...own });
}

/** The longer a run, the rarer its requests. */
function patience(intervals: number): number {
  if (intervals < 15) return 1;
  return intervals < 75 ? 5 : 15;
}

type ResumeState = {
  rows: number;
  samples: number;
  /** The last row. */
  tail: Record<string, unknown>;
  lastStep: number;
  summary: Record<string, unknown>;
};

const RESUME_STATUS = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id
    name
    entity { id name }
    bucket(name: $name, missingOk: true) {
      id
      name
      summaryMetrics
      historyLineCount
      historyTail
      eventsLineCount
    }
  }
}`;

/** What the server has of a run. This is the cursor: nothing that is kept here could know better. */
async function resumeState(
  transport: Transport,
  { project, entity, id }: { project: string; entity: string | null; id: string },
): Promise<ResumeState> {
  type Bucket = {
    summaryMetrics: string | null;
    historyLineCount: number | null;
    historyTail: string | null;
    eventsLineCount: number | null;
  };
  type Status = { model: { bucket: Bucket | null } | null };
  const { model } = await transport.graphql<Status>(RESUME_STATUS, { project, entity, name: id });
  const bucket = model?.bucket;
  const rows = bucket?.historyLineCount ?? 0;
  const tail = rows > 0 ? parseTail(bucket?.historyTail) : {};
  const lastStep = typeof tail._step === "number" ? tail._step : -1;
  // One row a step, steps from 1: a history that is longer than its last step was not written by this program.
  if (rows > Math.max(0, lastStep))
    throw new Refused(`the run ${id} has a history there that does not fit to this one`);
  const summary = JSON.parse(bucket?.summaryMetrics || "{}") as Record<string, unknown>;
  return { rows, tail, lastStep, summary, samples: bucket?.eventsLineCount ?? 0 };
}

/** The last of the rows in a list of JSON in JSON. */
function parseTail(text: string | null | undefined): Record<string, unknown> {
  const last = (JSON.parse(text || "[]") as string[]).at(-1);
  return last === undefined ? {} : (JSON.parse(last) as Record<string, unknown>);
}

/** Have the library go on where the server's files end. */
function resume(run: SdkRun, filestream: FileStream, { rows, tail, summary }: ResumeState): void {
  filestream.lastChunks[ROWS].offset = rows;
  filestream.lastChunks[SUMMARY].data = { ...summary };
  if (typeof tail._runtime === "number") filestream.started -= tail._runtime * 1000;
  Object.assign(run, { step: rows });
}
