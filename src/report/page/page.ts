// One self-contained HTML file: markup, styles, data, and the library that draws the charts. Nothing is loaded from anywhere.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { classMetrics, type SummaryMetric } from "../../instance/metrics.ts";
import { programVersion } from "../../run/environment.ts";
import { chartScript } from "./chartScript.ts";
import { type Html, html, json, raw } from "./html.ts";
import type { ComparisonChart, PageData, RunChart, ShownMetrics } from "./pageData.ts";

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
    styles(live ? ["page.css", "live.css"] : ["page.css"]),
    Promise.all([library("d3", "d3.min.js"), library("@observablehq/plot", "plot.umd.min.js"), chartScript()]),
  ]);
  const all: PageData = {
    ...{ ...data, metrics: shownMetrics(summary) },
    ...(live && { live: { base: live.base, from: live.from } }),
  };
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts, { live: live !== undefined })}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh !== undefined && html`<meta http-equiv="refresh" content="${refresh}">`}
<meta name="generator" content="rfdetr-train ${programVersion()}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
${live && livePanel(live)}<div class="page">
<header>
<div data-part="header">${header}</div>
<nav aria-label="Sections"><ul>${sections.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main id="content">
${sections.map(section)}
</main>
<footer>Made by rfdetr-train ${programVersion()}. Charts by Observable Plot and D3 (ISC licence).</footer>
</div>
<script type="application/json" id="data">${json(all)}</script>
${scripts.map((script) => html`<script>${raw(script)}</script>\n`)}
</body>
</html>
`;
  return document.text;
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

/**
 * The page can run its own scripts and show its own pictures; it can reach nothing else, whatever text got into it. A page that is served
 * can ask the one that serves it.
 */
function contentPolicy(scripts: readonly string[], { live }: { live: boolean }): string {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "img-src data:",
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

async function styles(names: readonly string[]): Promise<string> {
  return (await Promise.all(names.map((name) => readFile(new URL(name, import.meta.url), "utf8")))).join("\n");
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
