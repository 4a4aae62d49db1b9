// What is wrong with the detections of an evaluation, and what each kind of error costs.

import { TIDE_KINDS, type TideErrors, type TideKind } from "../../run/records/tideErrors.ts";
import { type Html, html } from "../page/html.ts";
import { score } from "../text.ts";

const KINDS: Record<TideKind, { name: string; what: string }> = {
  classification: { name: "Wrong class", what: "Detections that are on an object, but say another class" },
  localisation: {
    name: "Badly placed",
    what: "Detections of the right class whose overlap with the object is too small (IoU 0.1 to 0.5)",
  },
  both: { name: "Both", what: "Detections near an object of another class, badly placed as well" },
  duplicate: { name: "Double", what: "Detections of an object that a better-scored one has found already" },
  background: { name: "False alarm", what: "Detections where there is no object" },
  missed: { name: "Missed", what: "Objects that no detection found, not even in the wrong class or place" },
};

/** Bars of what AP50 would gain without each kind of error, each with a sentence. */
export function errorSection({ ap, kinds, falsePositives, falseNegatives }: TideErrors): Html {
  const most = Math.max(0.001, ...kinds.map(({ cost }) => cost));
  const worst = kinds.reduce((a, b) => (b.cost > a.cost ? b : a));
  const first =
    worst.cost < 0.0005
      ? "No kind of error costs any AP."
      : `Most is lost to one kind: ${KINDS[worst.kind].name.toLowerCase()}. Without it AP50 would be ${score(ap + worst.cost)} instead of ${score(ap)}.`;
  const rows = TIDE_KINDS.flatMap((kind) => kinds.filter((one) => one.kind === kind)).map(({ kind, count, cost }) => {
    const bar = html`<b class="${kind}" style="width: ${((100 * cost) / most).toFixed(1)}%"></b>`;
    const sentence = `${KINDS[kind].what}: ${count.toLocaleString("en")}.`;
    return html`<dt>${KINDS[kind].name}</dt><dd><span class="bar">${bar}</span><b>${score(cost)}</b><small>${sentence}</small></dd>`;
  });
  return html`<p class="soft">${first} The bars are what AP50 would gain if all errors of a kind were put right, of all detections whatever their confidence (TIDE).</p>
<dl class="errors">${rows}</dl>
<p class="soft">Without any false detection it would gain ${score(falsePositives)}, without any missed object ${score(falseNegatives)}.
Kinds overlap, so the gains do not add up.</p>`;
}
