// One self-contained HTML file: markup, styles, data, and the library that draws the charts. Nothing is loaded from anywhere.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { classMetrics, type SummaryMetric } from "../../instance/metrics.ts";
import { programVersion } from "../../run/environment.ts";
import { type Html, html } from "./html.ts";
import type { ComparisonChart, PageData, RunChart, ShownMetrics } from "./pageData.ts";
import { pageScript } from "./pageScript.ts";
import { pageStyle, shell } from "./shell.ts";

const require = createRequire(import.meta.url);

export type Section = { id: string; name: string; content: Html };

/**
 * A page that is served, and given what changes. `panel`: how things stand, on top of all else; `base`: where its events are, from which
 * revision on; `control`: whether the run can be stopped by it. charts/live.ts does the rest.
 */
export type LivePage = { panel: Html; base: string; from: number; control: boolean };

/** The text of a page: a header, links to its sections, the sections. `data` is what charts/*.ts draw, `summary` the metrics that were measured. */
export async function page({
  title,
  header,
  sections,
  data,
  summary,
  refresh,
  live,
}: {
  title: string;
  header: Html;
  sections: readonly Section[];
  data: Omit<PageData, "metrics">;
  summary: readonly SummaryMetric[];
  /** Seconds after which a browser reads the file again; undefined where it will not change. */
  refresh?: number | undefined;
  live?: LivePage;
}): Promise<string> {
  const [style, scripts] = await Promise.all([
    pageStyle(live ? ["page.css", "live.css"] : ["page.css"]),
    Promise.all([library("d3", "d3.min.js"), library("@observablehq/plot", "plot.umd.min.js"), pageScript("charts")]),
  ]);
  const all: PageData = {
    ...{ ...data, metrics: shownMetrics(summary) },
    ...(live && { live: { base: live.base, from: live.from } }),
  };
  const body = html`<a class="skip" href="#content">To the content</a>
${live && livePanel(live)}<div class="page">
<header>
<div data-part="header">${header}</div>
<nav aria-label="Sections"><ul>${sections.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main id="content">
${sections.map(section)}
</main>
<footer>Made by rfdetr-train ${programVersion()}. Charts by Observable Plot and D3 (ISC licence).</footer>
</div>`;
  return shell({ title, style, body, data: all, scripts, refresh, live: live !== undefined });
}

/** Names of metrics for the charts of a page. */
export function shownMetrics(summary: readonly SummaryMetric[]): ShownMetrics {
  return { ...classMetrics(summary), summary };
}

function livePanel({ panel, control }: LivePage): Html {
  return html`<aside class="live" aria-label="Now"><div>
<div class="now" data-part="now">${panel}</div>
${control && html`<button type="button" class="plain stop" hidden>Stop with checkpoint</button>`}
<p role="status" hidden></p>
</div></aside>
`;
}

function section({ id, name, content }: Section): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>
${content}</section>
`;
}

/** The browser's build of a package. */
async function library(name: string, file: string): Promise<string> {
  const source = await readFile(join(dirname(require.resolve(name)), "..", "dist", file), "utf8");
  if (/<\/script|<!--/i.test(source)) throw new Error(`${name} cannot stand in a page: it ends the script element`);
  return source;
}

/** A chart that the page's script draws, under its caption. */
export function chart(
  name: RunChart | ComparisonChart,
  { title, note = "", wide = false }: { title: string; note?: string; wide?: boolean },
): Html {
  return html`<figure data-chart="${name}"${wide && html` class="wide"`}>
<figcaption><h3>${title}</h3>${note && html`<p>${note}</p>`}</figcaption>
<div class="plot"></div>
</figure>`;
}
