// What the thread for W&B does: it follows metrics.jsonl and brings to the server what the server lacks.

import { setTimeout as sleep } from "node:timers/promises";
import { runFiles } from "../../../run/files.ts";
import type { Histogram } from "../../../util/histogram.ts";
import { apiKeyOf, baseUrlOf } from "../client/credentials.ts";
import { openSession, type Session } from "../client/session.ts";
import { openTransport, Refused, type Transport } from "../client/transport.ts";
import { noteDelivered } from "../folder/delivered.ts";
import { runIdentity } from "../folder/identity.ts";
import { takeLock } from "../folder/lock.ts";
import { type KeptPicture, keepPictures, keptPictures, type PictureOnDisk, pictureFile } from "../folder/pictures.ts";
import { type HistoryRow, openSummary, withRuntime } from "../folder/rows.ts";
import { runStart } from "../folder/runFolder.ts";
import type { UploadOrder, UploadReport, UploadSettings } from "./messages.ts";
import { openPictureUpload } from "./pictureUpload.ts";
import { openSystemSampler } from "./system.ts";
import { openTail } from "./tail.ts";
import { silent, whyUnsent } from "./trouble.ts";

/** Rows that may be under way; all others stay in the file. */
const MOST_WAITING_ROWS = 300;
/** Steps whose histograms are kept in memory until their row goes. */
const MOST_STEPS_WITH_HISTOGRAMS = 10;

/** Begin; the orders tell what happens, `report` is told what becomes of it. */
export function startUpload(
  settings: UploadSettings,
  report: (report: UploadReport) => void,
): (order: UploadOrder) => void {
  const { dir, mode, timing } = settings;
  const pictures = new Map<number, PictureOnDisk[]>();
  const histograms = new Map<number, Record<string, unknown>>();
  const bell = createBell();
  let through = settings.step;
  let end: Extract<UploadOrder, { type: "close" }> | undefined;
  let off = mode === "keep";
  let apiKey: string | undefined;
  let transport: Transport | undefined;
  let session: Session | undefined;
  let rows = 0;

  const closeUnsent = () => report({ type: "closed", sent: false, rows, page: session?.page ?? null });
  const turnOff = (error: unknown) => {
    if (off) return;
    off = true;
    transport?.stop();
    const { message, hint } = whyUnsent(error, settings.wandb);
    report({ type: "off", message: apiKey ? message.replaceAll(apiKey, "[redacted]") : message, hint });
    if (end) closeUnsent();
    bell.ring();
  };
  const onDisk = (picture: KeptPicture) => ({ ...picture, file: pictureFile(dir, picture.value) });
  const keep = (kept: readonly PictureOnDisk[]) => {
    for (const picture of kept) pictures.set(picture.step, [...(pictures.get(picture.step) ?? []), picture]);
  };

  const obey = async (order: UploadOrder) => {
    if (order.type === "pictures") {
      keep((await keepPictures(dir, order, order.pictures)).map(onDisk));
    } else if (order.type === "histograms") {
      histograms.set(order.step, histogramValues(order.histograms));
      if (histograms.size > MOST_STEPS_WITH_HISTOGRAMS) histograms.delete(histograms.keys().next().value!);
    } else if (order.type === "row") {
      through = Math.max(through, order.step);
    } else {
      end = order;
      through = Number.POSITIVE_INFINITY;
      if (off) closeUnsent();
      else if (mode === "live") transport?.hurry();
      session?.hurry();
    }
    bell.ring();
  };
  // One after the other: pictures are kept before the next row can complete the step that they belong to.
  let obeyed = Promise.resolve();

  const run = async () => {
    const where = baseUrlOf();
    if ("problem" in where) throw new Refused(where.problem);
    const { baseUrl } = where;
    apiKey = await apiKeyOf(baseUrl);
    if (!apiKey) throw new Refused("there is no API key", 401);
    await takeLock(dir);
    const { id } = await runIdentity(dir);
    const before = await keptPictures(dir);
    // Of a live run, pictures of later steps are made again.
    const known = settings.pictures ?? before.pictures.filter(({ step }) => step <= settings.step).map(onDisk);
    keep(known);
    transport = openTransport({
      ...{ baseUrl, apiKey, timing },
      onSilent: (reason) => report(silent(reason, settings)),
      onAnswer: () => report({ type: "answers", message: "W&B answers again." }),
      onGiveUp: (reason, silence) => {
        if (mode === "replay")
          turnOff(new Error(`it has not answered for ${Number((silence / 1000).toPrecision(2))} s (${reason})`));
      },
    });
    if (end && mode === "live") transport.hurry();
    const summary = openSummary({ metric: settings.metric, from: settings.from });
    session = await openSession({
      ...{ transport, id, name: settings.name, config: settings.config, timing, times: settings.times },
      wandb: { ...settings.wandb, baseUrl, apiKey },
      summary: summary.values,
      onDelivered: bell.ring,
      onRefused: turnOff,
    });
    const { page, lastStep, push, isNews, waiting, hurry, finish, sample } = session;
    report({ type: "open", page, lastStep });
    let arrived = lastStep; // or is on its way, until all is over
    await noteDelivered(dir, { step: arrived, open: true }).catch(() => {}); // a full disk is told of elsewhere
    if (end || mode === "replay") hurry();
    const uploads = openPictureUpload(dir, session, transport, { onIdle: bell.ring });
    uploads.add(known.filter(({ step, value }) => step <= lastStep && !before.sent.has(value.path)));

    let started = settings.times?.started;
    const send = async (recorded: HistoryRow) => {
      started ??= (await runStart(dir).catch(() => undefined)) ?? Date.now(); // by its first row a run has begun its log
      const row = withRuntime(recorded, started);
      summary.add(row);
      const own = pictures.get(row._step) ?? [];
      if (row._step > lastStep || (row._step === lastStep && isNews(row))) {
        push({
          ...row,
          ...Object.fromEntries(own.map(({ key, value }) => [key, value])),
          ...histograms.get(row._step),
        });
        rows++;
        arrived = row._step;
        uploads.add(own.filter(({ value }) => !before.sent.has(value.path)));
      }
      pictures.delete(row._step);
      histograms.delete(row._step);
    };
    const tail = await openTail(runFiles(dir).metrics);
    const sampler = mode === "live" ? openSystemSampler({ every: timing.sampleEvery }) : undefined;
    const timer = sampler && setInterval(() => sample(sampler.sample()), timing.sampleEvery);
    try {
      for (let whole = false; !off; ) {
        while (waiting() < MOST_WAITING_ROWS && !whole) {
          const closed = end; // the end may come while the file is read, and with it rows that were not looked at
          const row = await tail.next(through);
          if (row) await send(row);
          else if (closed) {
            whole = true;
            const last = tail.flush();
            // A run that was stopped after the last step of an epoch is evaluated when it goes on, and a row is sent once.
            if (last && (!closed.goesOn || isEvaluated(last))) await send(last);
          } else break;
        }
        report({ type: "progress", rows: rows - waiting() });
        if (whole && waiting() === 0 && uploads.waiting() === 0) break;
        await bell.rung();
        if (!end) await Promise.race([sleep(timing.lookEvery), bell.closing]);
      }
    } finally {
      clearInterval(timer);
      sampler?.close();
      await tail.close();
    }
    if (off) return;
    const lost = uploads.failed();
    if (lost > 0)
      report({ type: "notice", level: "warn", message: `Pictures that could not be sent to W&B: ${lost}.` });
    if (end!.exitCode !== null) await finish(end!.exitCode);
    await noteDelivered(dir, { step: arrived, open: false }).catch(() => {});
    report({ type: "closed", sent: lost === 0, rows, page });
  };

  if (!off) run().catch(turnOff);
  return (order) => {
    if (order.type === "close") bell.close();
    obeyed = obeyed
      .then(() => obey(order))
      .catch((error: Error) => {
        report({ type: "notice", level: "warn", message: `Pictures for W&B cannot be kept: ${error.message}` });
      });
  };
}

/** A bell that is remembered until somebody listens; `closing` resolves when `close` is called. */
function createBell() {
  let rang = false;
  let wake: (() => void) | undefined;
  let close = () => {};
  const closing = new Promise<void>((done) => {
    close = done;
  });
  return {
    ...{ closing, close },
    ring: () => {
      rang = true;
      wake?.();
    },
    rung: async () => {
      if (!rang) {
        await new Promise<void>((done) => {
          wake = done;
        });
      }
      rang = false;
    },
  };
}

function isEvaluated(row: HistoryRow): boolean {
  return Object.keys(row).some((key) => key.startsWith("val/"));
}

/** Histograms as W&B has them: edges, one more than there are counts. */
function histogramValues(histograms: ReadonlyMap<string, Histogram>): Record<string, unknown> {
  return Object.fromEntries(
    [...histograms].map(([path, { min, limits, counts }]) => [
      `gradients/${path}`,
      { _type: "histogram", bins: [Math.min(min, limits[0] ?? min), ...limits], values: counts },
    ]),
  );
}
