// The part of a run's page that shows what it trained on first.

import type { BatchImage, FirstBatch } from "../run/records/firstBatch.ts";
import { type Html, html } from "./page/html.ts";
import { plural } from "./text.ts";

export function firstBatchSection({ images, of, step }: FirstBatch): Html {
  const some = images.length < of ? `${images.length} of the ${plural(of, "image")}` : plural(of, "image");
  const when = step === 0 ? "the first step" : `step ${step + 1}`;
  return html`<p class="soft">The ${some} of the batch of ${when}, as the model saw them: after all random changes, in its own size, with what it was to find.
Choose a picture to enlarge it.</p>
<div class="pictures">${images.map(figure)}</div>`;
}

function figure({ image, objects, width, height, jpeg }: BatchImage): Html {
  const text = `${image}: ${plural(objects, "object")}`;
  const source = `data:image/jpeg;base64,${jpeg}`;
  return html`<figure>
<button type="button" aria-expanded="false" aria-label="Enlarge ${image}"><img src="${source}" width="${width}" height="${height}" alt="${text}"></button>
<figcaption>${text}</figcaption>
</figure>`;
}
