// Watching runs: a page of a run, or of a folder of runs, that follows them while they go on. Read-only, but for what --control lets people ask.

import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../util/errors.ts";
import { queue } from "../util/threads/queue.ts";
import { type FoundRun, folderView, runsFinder, waitingView } from "./pages/folderView.ts";
import { isUnderWay, placeOf, STATE_NAMES } from "./pages/panel.ts";
import { type RunView, runView } from "./pages/runView.ts";
import { holdsRecipe, runReader } from "./runs/runReader.ts";
import { stopRun } from "./runs/stopRun.ts";
import { serve, type WatchedPlace } from "./serve/server.ts";
import { type LiveView, renderer } from "./serve/view.ts";

export type WatchOptions = {
  /** Where it listens on 127.0.0.1; 0, the default: a port that is free. */
  port?: number | undefined;
  /** Whether whoever has the address may have a run stop with a checkpoint. Default false. */
  control?: boolean | undefined;
  /** Ends the watching. */
  signal: AbortSignal;
  /** Called once it can be opened, with the address; with control a token is part of it. */
  onReady?: ((url: string) => void) | undefined;
  /** What people should know, such as that the run has ended. */
  onNote?: ((message: string) => void) | undefined;
};

/** Between two looks: so many times the processor's time that the last one took, since a training has better use for it; within bounds. */
const PAUSE_MS = { least: 2000, most: 10_000 };
const SHARE = 100;

/**
 * Show a run, or the runs of a folder, until the signal. A folder that is not there yet is waited for. Throws a UserError where the port is
 * taken, or a file stands in the folder's place.
 */
export async function watch(
  dir: string,
  { port = 0, control = false, signal, onReady, onNote }: WatchOptions,
): Promise<void> {
  if ((await stat(dir).catch(() => undefined))?.isDirectory() === false)
    throw new UserError(`${dir} is no folder.`, { hint: "Name the folder of a run, or one that runs lie in." });
  const token = control ? randomBytes(24).toString("base64url") : undefined;
  const places = watchedPlaces(dir, { control });
  const server = await serve({ port, token, placeOf: places.find });
  try {
    onReady?.(`http://127.0.0.1:${server.port}/${token === undefined ? "" : `#control=${token}`}`);
    const tell = teller(onNote);
    while (!signal.aborted) {
      const began = process.cpuUsage();
      await places.look().catch(() => {}); // what cannot be read now may be the next time
      tell(places.top());
      const { user, system } = process.cpuUsage(began); // microseconds
      const pause = Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.least, (SHARE * (user + system)) / 1000));
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  } finally {
    await server.close();
  }
}

type Kind = "run" | "runs" | "none";

/** The page at the top, which is another one once there is something to see, and those of a folder's runs. */
function watchedPlaces(dir: string, { control }: { control: boolean }) {
  const findRuns = runsFinder(dir);
  const ofRuns = new Map<string, WatchedPlace>();
  let top: { kind: Kind; place: WatchedPlace; run?: RunView } = { kind: "none", place: placeFor(waitingView(dir)) };

  const inTurn = queue(); // browsers must not each settle for a place of their own
  const settle = () =>
    inTurn(async () => {
      const kind: Kind = (await holdsRecipe(dir)) ? "run" : (await findRuns()).size > 0 ? "runs" : "none";
      if (kind === top.kind) return;
      const before = top.place.streams;
      if (kind === "run") {
        const view = runView(dir, { reader: runReader(dir), base: "", control });
        await view.refresh();
        top = { kind, run: view, place: placeFor(view, control ? () => stopRun(dir) : undefined) };
      } else top = { kind, place: placeFor(kind === "runs" ? folderView(dir, findRuns) : waitingView(dir)) };
      for (const stream of before) stream.reload();
    });
  const placeOfRun = ({ id, dir: of, reader }: FoundRun): WatchedPlace => {
    const known = ofRuns.get(id);
    if (known) return known;
    const view = runView(of, { reader, base: `/runs/${id}`, back: "/", control });
    const place = placeFor(view, control ? () => stopRun(of) : undefined);
    ofRuns.set(id, place);
    return place;
  };
  return {
    top: () => top.run,
    find: async (run: string | undefined): Promise<WatchedPlace | undefined> => {
      await settle();
      if (run === undefined) return top.place;
      const found = top.kind === "runs" ? (await findRuns()).get(run) : undefined;
      return found && placeOfRun(found);
    },
    look: async () => {
      await settle();
      for (const place of [top.place, ...ofRuns.values()]) {
        const isRun = place === top.place && top.run !== undefined; // how it stands is said at the terminal, too
        if (place.streams.size === 0 && !isRun) continue;
        await place.view.refresh();
        for (const stream of place.streams) stream.push();
      }
    },
  };
}

function placeFor(view: LiveView, stop?: WatchedPlace["stop"]): WatchedPlace {
  return { view, render: renderer(view), streams: new Set(), ...(stop && { stop }) };
}

/** Says at the terminal when the run begins, and when and how it ends. */
function teller(onNote: WatchOptions["onNote"]): (run: RunView | undefined) => void {
  let last: string | undefined;
  return (run) => {
    if (!run?.moment) return;
    const { state } = run.moment;
    const now = isUnderWay(state) ? "going" : state;
    if (now === last) return;
    last = now;
    const at = placeOf(run.moment).slice(0, 2).join(", ");
    onNote?.(`${run.name}: ${isUnderWay(state) ? "it goes on" : STATE_NAMES[state].toLowerCase()}${at && ` (${at})`}`);
  };
}
