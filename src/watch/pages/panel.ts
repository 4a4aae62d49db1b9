// How a run stands, as a line that stays on top of its page: state, place, time left, and the numbers of its last step.

import { type Html, html } from "../../report/page/html.ts";
import { STATUS_NAMES } from "../../report/runPage.ts";
import { duration, plural } from "../../report/text.ts";
import type { Moment } from "../runs/moment.ts";

export const STATE_NAMES: Record<Moment["state"], string> = {
  ...STATUS_NAMES,
  starting: "Starting",
  evaluating: "Evaluating",
  finishing: "Finishing",
};

/** Whether a run in this state may still change. */
export function isUnderWay(state: Moment["state"]): boolean {
  return ["starting", "running", "evaluating", "finishing"].includes(state);
}

/** `back`: the address of all runs, where there are others. */
export function momentPanel(moment: Moment, { back }: { back: string | undefined }): Html {
  const { state, last, silent } = moment;
  const share = progressShare(moment);
  const numbers = last && isUnderWay(state) ? numbersOf(last) : [];
  return html`<p class="now-line">${back !== undefined && html`<a href="${back}">All runs</a> `}<b class="dot ${state}"></b><strong>${STATE_NAMES[state]}</strong>
${placeOf(moment).map((text) => html`<span>${text}</span> `)}${silent !== null && html`<span class="warning">no new row for ${duration(silent)}</span>`}</p>
${share !== null && html`<div class="track" role="progressbar" aria-label="Steps done" aria-valuenow="${Math.round(100 * share)}" aria-valuemin="0" aria-valuemax="100"><b style="width: ${(100 * share).toFixed(2)}%"></b></div>`}
${numbers.length > 0 && html`<p class="now-numbers">${numbers.map(([name, value]) => html`<span>${name} <b>${value}</b></span> `)}</p>`}`;
}

/** Part of all steps that is done; null where their number is not known. */
export function progressShare({ step, size }: Moment): number | null {
  return size && Math.min(1, step / size.steps);
}

/** "epoch 3 of 50", "step 640 of 2,640", "about 1 h 12 min left". */
export function placeOf({ state, step, epoch, size, secondsLeft }: Moment): string[] {
  if (state === "starting" || step === 0) return [];
  const count = (value: number) => value.toLocaleString("en");
  return [
    size ? `epoch ${epoch + 1} of ${count(size.epochs)}` : `epoch ${epoch + 1}`,
    size ? `step ${count(step)} of ${count(size.steps)}` : plural(step, "step"),
    ...(secondsLeft === null ? [] : [`about ${duration(secondsLeft)} left`]),
  ];
}

function numbersOf({
  loss,
  lr,
  images_per_second: speed,
  data_wait: wait,
}: NonNullable<Moment["last"]>): [string, string][] {
  const numbers: [string, unknown, (value: number) => string][] = [
    ["loss", loss, (value) => value.toPrecision(4)],
    ["learning rate", lr, (value) => value.toExponential(2)],
    ["images a second", speed, (value) => value.toPrecision(3)],
    ["waiting for images", wait, (value) => `${Math.round(100 * value)} %`],
  ];
  return numbers.flatMap(([name, value, text]) => (typeof value === "number" ? [[name, text(value)]] : []));
}
