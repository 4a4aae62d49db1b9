// The page on which a person goes through suspected labels and accepts or rejects what is proposed; reviewer/*.ts is its script.

import { createHash } from "node:crypto";
import { programVersion } from "../../run/environment.ts";
import { html } from "../page/html.ts";
import { pageScript } from "../page/pageScript.ts";
import { pageStyle, shell } from "../page/shell.ts";
import { plural } from "../text.ts";
import type { SuspectKind, SuspectsPageData, SuspectsRecord } from "./suspectsRecord.ts";

const KINDS: Record<SuspectKind, string> = {
  missing: "Missing",
  class: "Wrong class",
  place: "Badly placed",
  double: "Double",
};

/** The page's text. `crops`: of the suspects in their order; `classes`: of the data set; `all`: how many there are, of which the page has the first; `command`: what to do with the file. */
export async function suspectsPage(
  record: SuspectsRecord,
  crops: SuspectsPageData["crops"],
  { classes: named, all, command }: { classes: readonly string[]; all: number; command: string },
): Promise<string> {
  const style = await pageStyle(["page.css", "../suspects/suspects.css"]);
  const { suspects, made, data } = record;
  const count = (kind: SuspectKind) => suspects.filter((one) => one.kind === kind).length;
  const kinds = (Object.keys(KINDS) as SuspectKind[]).filter((kind) => count(kind) > 0);
  const classes = [...new Set(suspects.flatMap(({ label, found }) => [label?.class, found?.class]))]
    .filter((name) => name !== undefined)
    .sort();
  const most = suspects.length < all ? ` These are the first ${suspects.length} of ${all}; suspects.json has all.` : "";
  const body = html`<div class="page review">
<header>
<p class="eyebrow">Suspected labels</p>
<h1>${plural(suspects.length, "suspect")}</h1>
<p class="lead">${data.description} · ${made.weights}</p>
<p class="soft">The most suspect come first.${most}</p>
<p class="soft"><b class="key label">label</b> <b class="key found">found by the model</b> <b class="key near">other labels</b></p>
<p class="soft">Keys: <kbd>a</kbd> accept, <kbd>r</kbd> reject, <kbd>u</kbd> undo, arrows to move. When you are done, download the decisions and run
<code>${command}</code>; it writes a corrected copy, the data set stays as it is.</p>
</header>
<form class="review-controls">
<fieldset><legend>Kind</legend>
<label><input type="radio" name="kind" value="" checked> All</label>
${kinds.map((kind) => html`<label><input type="radio" name="kind" value="${kind}"> ${KINDS[kind]} <b>${count(kind)}</b></label>`)}
</fieldset>
<label>Class <select name="class"><option value="">All</option>${classes.map((name) => html`<option value="${name}">${name}</option>`)}</select></label>
<label>Show <select name="open"><option value="">All</option><option value="open">Open</option><option value="accept">Accepted</option><option value="reject">Rejected</option></select></label>
<button type="button" name="download">Download decisions</button>
<p class="soft" role="status"></p>
</form>
<main class="suspects"></main>
<footer>Made by rfdetr-train ${programVersion()}.</footer>
</div>`;
  const key = `rfdetr-train review ${createHash("sha256").update(JSON.stringify(record)).digest("hex").slice(0, 16)}`;
  const shown: SuspectsPageData = { key, record, crops, classes: named };
  return shell({
    ...{ title: "Suspected labels · rfdetr-train", style, body },
    ...{ data: shown, scripts: [await pageScript("reviewer")] },
  });
}
