// The part of a run's page that shows what it trains on.

import type { BatchImage, SeenBatch } from "../../run/records/batches.ts";
import { type Html, html } from "../page/html.ts";
import { plural } from "../text.ts";

/** The first batch, and where there is one the last that was kept. */
export function batchSection(first: SeenBatch | null, last: SeenBatch | null): Html {
  const seen = "as the model saw them: after all random changes, in their own size, with what it was to find";
  return html`<p class="soft">Images ${seen}. Choose a picture to enlarge it.</p>
${last && batch(last, last.step === first?.step ? "" : "Lately")}${first && batch(first, last ? "At first" : "")}`;
}

function batch({ images, of, step }: SeenBatch, when: string): Html {
  const some = images.length < of ? `${images.length} of the ${plural(of, "image")}` : plural(of, "image");
  const at = step === 0 ? "the first step" : `step ${(step + 1).toLocaleString("en")}`;
  return html`<h3>${when && `${when}: `}${some} of ${at}</h3>
<div class="pictures ${images.length > 2 && "four"}">${images.map(figure)}</div>
`;
}

function figure({ image, objects, width, height, jpeg }: BatchImage): Html {
  const text = `${image}: ${plural(objects, "object")}`;
  const source = `data:image/jpeg;base64,${jpeg}`;
  return html`<figure>
<button type="button" aria-expanded="false" aria-label="Enlarge ${image}"><img src="${source}" width="${width}" height="${height}" alt="${text}"></button>
<figcaption>${text}</figcaption>
</figure>`;
}
