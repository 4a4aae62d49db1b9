// What more workers would come to, on paper: the time of a step with the gradients summed up, from measured times of one step and of
// packing gradients into buckets, and from published rates of links. Nothing here is measured; TensorFlow's NCCL or gRPC may do worse.
// Usage: node scripts/bench/scaling.mjs [--step SECONDS] [--megabytes 122] [--pack SECONDS,SECONDS] [--buckets 60]
// Up to 8 workers each bucket goes from the first to the last and around, through each link twice, all buckets on their way at once; more
// workers are a ring that sends 2 (n - 1) / n times the bytes through each link, in 2 (n - 1) rounds. --pack: of the one, of the other.

import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    step: { type: "string", default: "1" },
    megabytes: { type: "string", default: "122" },
    pack: { type: "string", default: "0.05,0.1" },
    buckets: { type: "string", default: "60" },
  },
});
const [step, megabytes, buckets] = ["step", "megabytes", "buckets"].map((name) => Number(values[name]));
const pack = values.pack.split(",").map(Number);

/** Bits a second, and seconds until a message is there. */
const LINKS = {
  "1 Gbit/s Ethernet": [1e9, 100e-6],
  "10 Gbit/s Ethernet": [10e9, 50e-6],
  "100 Gbit/s Ethernet (RoCE)": [100e9, 5e-6],
  "400 Gbit/s InfiniBand": [400e9, 2e-6],
};
const WORKERS = [8, 64, 512];

/** As in src/distributed/collectives.ts. */
const MOST_IN_ORDER = 8;

const seconds = (workers, [rate, latency]) => {
  const rounds = 2 * (workers - 1);
  const bits = 8e6 * megabytes;
  const [times, parts, packed] = workers <= MOST_IN_ORDER ? [2, 1, pack[0]] : [rounds / workers, workers, pack[1]];
  return packed + (times * bits) / rate + rounds * (bits / buckets / parts / rate + latency);
};
console.log(
  `A step of ${step} s on each worker, ${megabytes} MB of gradients, ${pack.join(" or ")} s to pack and unpack them.\n`,
);
console.log(`| link | ${WORKERS.map((n) => `${n} workers: exchange, share of the time that computes`).join(" | ")} |`);
console.log(`|---|${WORKERS.map(() => "---").join("|")}|`);
for (const [name, link] of Object.entries(LINKS)) {
  const cells = WORKERS.map((workers) => {
    const exchange = seconds(workers, link);
    return `${exchange.toFixed(2)} s, ${((100 * step) / (step + exchange)).toFixed(0)} %`;
  });
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
