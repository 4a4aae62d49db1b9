// One of the workers of the benchmark of several: a line on standard input asks for one turn, the answer is a line of JSON with its
// milliseconds. Turns: `sum` gradients of nano over all workers, `tcp` the same bytes between two by a plain connection, `step` a step.
// Arguments: addresses of the workers, or "alone"; rank; batch; resolution; port for `tcp`.

import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs-core";
import { VARIANTS } from "../../src/architecture/variants.ts";
import { joinWorkers } from "../../src/distributed/runtime.ts";
import { loadBackend } from "../../src/engine/backend.ts";
import { createRecorder } from "../../src/engine/recording/recorder.ts";
import { trainable } from "../../src/step/learner.ts";
import { trainStep } from "../../src/step/step.ts";
import { newLearner, noiseOf } from "./noise.mjs";

const [list, rank, batch, resolution, port] = process.argv.slice(2);
const workers = list === "alone" ? undefined : await joinWorkers({ workers: list.split(","), rank: Number(rank) });
loadBackend();
const side = Number(resolution);
const learner = newLearner(VARIANTS.nano, side);
const data = noiseOf(Number(batch), side, { seed: Number(rank) });
const settings = {
  ...{ clipMaxNorm: 0.1, ema: { decay: 0.993, tau: 100 }, accumulation: "whole" },
  ...{ recorder: createRecorder(), workers },
};
const shapes = trainable(learner.weights).map(([, { shape }]) => shape);
const bytes = shapes.reduce((sum, shape) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);

const TURNS = {
  sum: async () => {
    const gradients = tf.tidy(() => shapes.map((shape) => tf.fill(shape, Number(rank) + 1)));
    const began = performance.now();
    const summed = await workers.sumBatches([gradients], settings.recorder);
    const milliseconds = performance.now() - began;
    const [one] = tf.tidy(() => tf.reshape(summed.at(-1), [-1]).slice([0], [1]).dataSync());
    if (one !== (workers.size * (workers.size + 1)) / 2) throw new Error(`the sum is ${one}`);
    tf.dispose([...gradients, ...summed]);
    return { milliseconds, bytes };
  },
  tcp: async () => {
    const socket = await connection();
    const began = performance.now();
    socket.write(outbox);
    await new Promise((done) => {
      whole = done;
      hear(Buffer.alloc(0));
    });
    return { milliseconds: performance.now() - began, bytes };
  },
  step: async () => {
    const [began, before] = [performance.now(), process.cpuUsage()];
    const { loss, problem } = await trainStep(learner, settings, { batches: [data], rateFactor: 1, step: 0 });
    const milliseconds = performance.now() - began;
    if (problem) throw new Error(problem);
    const { user, system } = process.cpuUsage(before);
    return { milliseconds, processor: (user + system) / 1000, peak: process.resourceUsage().maxRSS * 1024, loss };
  },
};

const [outbox, inbox] = [Buffer.alloc(bytes, 1), Buffer.alloc(bytes)];
let [open, count, whole] = [undefined, 0, undefined];
/** What comes is kept from the first byte on: the other one may have begun its turn before this one. */
function hear(chunk) {
  const room = Math.min(chunk.length, bytes - count);
  chunk.copy(inbox, count, 0, room);
  count += room;
  if (count < bytes || !whole) return;
  count = 0;
  whole();
  whole = undefined;
}
/** A connection of the two workers, made once. */
function connection() {
  open ??= new Promise((done, failed) => {
    const use = (socket) => done(socket.setNoDelay(true).on("data", hear));
    if (rank === "0") createServer(use).listen(Number(port), "127.0.0.1");
    else {
      const ask = () => {
        const socket = connect(Number(port), "127.0.0.1", () => use(socket));
        socket.once("error", (error) => (error.code === "ECONNREFUSED" ? setTimeout(ask, 50) : failed(error)));
      };
      ask();
    }
  });
  return open;
}

for await (const turn of createInterface({ input: process.stdin })) console.log(JSON.stringify(await TURNS[turn]()));
process.exit(0);
