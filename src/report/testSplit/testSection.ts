// The part of a run's page that shows what the best weights came to on the test split, beside what validation promised.

import { classMetrics, measuredSummary, type SummaryMetric } from "../../instance/metrics.ts";
import { type Confirmed, describeConfirmation } from "../../instance/operating/confirm.ts";
import type { TestRecord } from "../../run/records/testRecord.ts";
import type { RunContents } from "../../run/runFolder.ts";
import { type Html, html } from "../page/html.ts";
import { heading, htmlTable, numberCell } from "../page/table.ts";
import { moment, plural, score } from "../text.ts";

const MOST_ROWS = 400;

export function testSection(test: TestRecord, { best }: Pick<RunContents, "best">): Html {
  const { step, epoch, images, unread, evaluations, evaluated, confirmation, perClass } = test;
  const said = describeConfirmation(confirmation);
  const of = best?.step === step ? "The best weights" : `The weights of step ${step}, which are not the best any more`;
  const times = evaluations > 1 ? ` This run has looked at it ${evaluations} times.` : "";
  const left = unread > 0 ? `, ${plural(unread, "more")} could not be read` : "";
  return html`<p class="soft">${of} (epoch ${epoch + 1}) on ${plural(images, "test image")}${left}, on ${moment(evaluated)}. Nothing was chosen by them.${times}</p>
${said.length > 0 ? said.map((text) => html`<p>${text.charAt(0).toUpperCase()}${text.slice(1)}.</p>`) : html`<p>The weights say no operating point, so there is no promise to confirm.</p>`}
${metricTable(test, best?.step === step ? best : null)}
${perClass.length > 1 && classTable(perClass.slice(0, MOST_ROWS))}`;
}

function metricTable({ metrics, confirmation }: TestRecord, best: RunContents["best"]): Html {
  const names = measuredSummary([metrics as Partial<Record<SummaryMetric, unknown>>]);
  const sizes = ["APs", "APm", "APl"] as const;
  const shares = (["precision", "recall"] as const).flatMap((name) => {
    const one = confirmation[name];
    return one ? [{ name, one }] : [];
  });
  return htmlTable({
    columns: ["", { number: "Validation" }, { number: "Test" }],
    rows: [
      ...[...names, ...sizes].map((name) => [
        heading(name),
        numberCell(score(best?.[name])),
        numberCell(score(metrics[name])),
      ]),
      ...shares.map(({ name, one }) => [
        heading(`${name} at the operating point`),
        numberCell(promised(one)),
        numberCell(score(one.measured)),
      ]),
    ],
  });
}

function promised({ low, high }: Confirmed): string {
  return `${score(low)} to ${score(high)}`;
}

function classTable(perClass: TestRecord["perClass"]): Html {
  const summary = measuredSummary(perClass);
  const { main } = classMetrics(summary);
  const ranked = [...perClass].sort((a, b) => (b[main] ?? -1) - (a[main] ?? -1));
  return htmlTable({
    caption: "Classes on the test split",
    columns: ["Class", ...[...summary, "Objects"].map((number) => ({ number }))],
    rows: ranked.map((row) => [
      heading(row.name),
      ...summary.map((name) => numberCell(score(row[name]))),
      numberCell(row.annotations.toLocaleString("en")),
    ]),
  });
}
