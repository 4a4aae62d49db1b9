// What it costs that several workers train together: the gradients of nano summed over two workers beside the same bytes through a plain
// connection, and a step of two workers beside one of one process, all in turn on one machine.
// Usage: npm run bench:distributed -- [--turns 12] [--batch 1] [--resolution 384] [--threads 1]
// --threads: of each worker. One process has as many, for as large a batch as one of the workers; and all of them, for the batch of both.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { gigabytes, here, limited, machine, shown, spread, stepper } from "./stepper.mjs";

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "12" },
    batch: { type: "string", default: "1" },
    resolution: { type: "string", default: "384" },
    threads: { type: "string", default: String(Math.max(1, Math.floor(availableParallelism() / 2))) },
  },
});
const { batch, resolution, threads } = values;
const WARM_UP = 3;
const list = "127.0.0.1:7321,127.0.0.1:7322";
const worker = (addresses, rank, images, count) =>
  stepper(
    process.execPath,
    ["--import", "tsx", here("distributed-worker.mjs"), addresses, rank, images, resolution, 7323],
    limited(count),
  );

console.log(`RF-DETR nano at ${resolution}, ${values.turns} turns after ${WARM_UP} of warm-up, medians`);
console.log(machine());
const pair = [0, 1].map((rank) => worker(list, rank, batch, threads));
const alone = worker("alone", 0, batch, threads);
const whole = worker("alone", 0, 2 * Number(batch), String(2 * Number(threads)));
const together = async (turn) => {
  const answers = await Promise.all(pair.map((one) => one.step(turn)));
  return { ...answers[0], milliseconds: Math.max(...answers.map((one) => one.milliseconds)) };
};
const kinds = {
  "sum of the gradients": () => together("sum"),
  "plain connection, the same bytes": () => together("tcp"),
  [`step, two workers of ${threads} thread(s), ${batch} image(s) each`]: () => together("step"),
  [`step, one process of ${threads} thread(s), ${batch} image(s)`]: () => alone.step("step"),
  [`step, one process of ${2 * threads} threads, ${2 * batch} images`]: () => whole.step("step"),
};
const results = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
for (let turn = 0; turn < WARM_UP + Number(values.turns); turn++)
  for (const [name, take] of Object.entries(kinds)) {
    const answer = await take();
    if (turn >= WARM_UP) results[name].push(answer);
  }
await Promise.all([...pair, alone, whole].map((one) => one.end()));
for (const [name, answers] of Object.entries(results)) {
  const { bytes, peak } = answers.at(-1);
  const what = bytes ? `${(bytes / 1e6).toFixed(0)} MB from each` : `peak ${gigabytes(peak)}`;
  console.log(`${name}: ${shown(spread(answers.map(({ milliseconds }) => milliseconds)), 0)} ms, ${what}`);
}
const medians = Object.values(results).map((answers) => spread(answers.map(({ milliseconds }) => milliseconds)).median);
const ratio = (a, b) => (medians[a] / medians[b]).toFixed(2);
console.log(`sum against plain connection: ${ratio(0, 1)}; step of two against one with as many threads: ${ratio(2, 3)}; against one process with all threads and the whole batch: ${ratio(2, 4)}`); // biome-ignore format: one line
