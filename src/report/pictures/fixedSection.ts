// The same few pictures at every evaluation of a run; charts/fixed.ts fills what stands here.

import type { FixedPictures } from "../../run/records/fixedPictures.ts";
import { type Html, html } from "../page/html.ts";
import type { FixedData } from "../page/pageData.ts";
import { plural } from "../text.ts";
import { ITEM_KINDS } from "./itemKinds.ts";

/** What the page's script has of them. */
export function fixedData({ classes, pictures, evaluations }: FixedPictures): FixedData {
  return { classes, pictures: pictures.map(({ imageId: _, ...picture }) => picture), evaluations };
}

/** The controls, and room for the pictures. */
export function fixedSection({ pictures, evaluations }: FixedPictures): Html {
  const what = `${plural(pictures.length, "validation image")}, chosen once, from few objects to many`;
  const none = evaluations.length === 0;
  const how = none
    ? "The first evaluation shows what is found in them."
    : `The first slider goes through the ${plural(evaluations.length, "evaluation")} of the run.`;
  const some = evaluations.length > 1;
  return html`<p class="soft">${what}. ${how} Labels are dashed.</p>
<form class="browse-controls">
<label class="wide${!some && " one"}"><input type="range" name="epoch" aria-label="Epoch" min="0" max="0" step="1" value="0"${!some && html` disabled`}> <output data-fixed="epoch"></output></label>
<button type="button" class="plain" name="play"${!some && html` hidden`}>Play</button>
<label${none && html` hidden`}>Confidence <input type="range" name="least" min="0.05" max="1" step="0.01" value="0.5"> <output data-fixed="least"></output></label>
${!none && html`<ul class="kinds">${ITEM_KINDS.map(([kind, name]) => html`<li class="${kind}">${name}</li>`)}</ul>`}
</form>
<div class="browse fixed"></div>`;
}
