// Pictures with more objects than a model has queries.

import type { Fact } from "../../../util/text/fact.ts";
import type { Split } from "../sample.ts";

/** What to set so that so many objects can be found. */
export function enoughQueries(objects: number): string {
  return `Set model.num_queries: ${100 * Math.ceil(objects / 100)}, or train on parts of pictures with data.slices.`;
}

/** A warning where images hold more objects than can be learned, and one where queries are more than the cells that propose boxes. */
export function crowdFacts({ samples, name }: Split, { queries, cells }: { queries: number; cells: number }): Fact[] {
  const counts = samples.map(({ annotations }) => annotations.filter(({ crowd }) => !crowd).length);
  const above = counts.filter((count) => count > queries);
  const warning = (value: string): Fact => ({ name: "Warning", value });
  const most = above.reduce((a, b) => Math.max(a, b), 0);
  return [
    ...(most > 0 ? [warning(`${above.length} image${above.length === 1 ? "" : "s"} of ${name} hold more objects (up to ${most}) than the model's ${queries} queries: the rest cannot be learned. ${enoughQueries(most)}`)] : []), // biome-ignore format: one line
    ...(queries > cells ? [warning(`model.num_queries is ${queries}, but a picture has ${cells} cells that propose a box: the other queries begin where they have learned to. A larger model.resolution has more cells.`)] : []), // biome-ignore format: one line
  ];
}
