// Validation pictures to look through, by kind of error, class and confidence; charts/browser.ts fills what stands here.

import type { PictureBrowser } from "../../run/records/browser.ts";
import type { EvaluationRecord } from "../../run/records/evaluation.ts";
import { type Html, html } from "../page/html.ts";
import type { BrowserData } from "../page/pageData.ts";
import { ITEM_KINDS } from "../pictures/itemKinds.ts";
import { plural } from "../text.ts";

/** What the page's script has of the pictures. `shown`: the classes of the matrix on the page. */
export function browserData(
  browser: PictureBrowser,
  { evaluation, shown }: { evaluation: EvaluationRecord; shown: readonly string[] },
): BrowserData {
  const named = new Set(evaluation.confusion.classes);
  const places = new Map(browser.classes.map((name, place) => [name, place]));
  const merged = browser.classes.flatMap((name, place) => (named.has(name) ? [] : [place]));
  const rows = shown.map((name) => (places.has(name) ? [places.get(name)!] : merged));
  return { ...browser, rows, complete: browser.pictures.length === evaluation.images };
}

/** The controls, and room for the pictures. */
export function browserSection({ pictures, floor }: PictureBrowser, { threshold, images }: EvaluationRecord): Html {
  const some = pictures.length < images ? `${pictures.length} of ${plural(images, "image")}, evenly chosen. ` : "";
  const start = Math.max(threshold, floor).toFixed(2);
  return html`<p class="soft">${some}The confidence moves the confusion matrix and the line beside it, too; a cell of the matrix shows its pictures here.
A dashed box is the object that a detection of the wrong class or place was meant for.</p>
<form class="browse-controls">
<label>Confidence <input type="range" name="confidence" min="${floor.toFixed(2)}" max="1" step="0.01" value="${start}"> <output>${start}</output></label>
<fieldset><legend>Show</legend>
<label><input type="radio" name="kind" value="" checked> All</label>
${ITEM_KINDS.map(([kind, name]) => html`<label class="${kind}"><input type="radio" name="kind" value="${kind}"> ${name} <b data-count="${kind}"></b></label>`)}
</fieldset>
<label>Class <select name="class"><option value="">All</option></select></label>
<button type="button" name="cell" hidden></button>
</form>
<p class="soft" role="status" data-browse="status"></p>
<div class="browse"></div>
<button type="button" class="browse-more" hidden>More pictures</button>`;
}
