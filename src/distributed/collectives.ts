// TensorFlow's collective operations: what the workers of a cluster that has been joined do together.

import { deserialize, serialize } from "node:v8";
import * as tf from "@tensorflow/tfjs-core";
import { type AttributeValue, rawOp, readNow } from "../engine/backend.ts";
import { inBuckets } from "./buckets.ts";
import { fromNumbers, lengthNumbers, lengthOf, pieces, toNumbers } from "./bytes.ts";
import type { Cluster } from "./cluster.ts";
import { workerLost } from "./workerLost.ts";
import type { Workers } from "./workers.ts";

const FLOAT = { type: "float" } as const;
const GROUP = 1;
/** A limit of time would leave two sleeping threads an operation; the service that watches the workers needs none. */
const COMMON = { T: FLOAT, communication_hint: "auto", timeout_seconds: { float: 0 } };
const ORDERED = { is_stateless: false, Nordering_token: 0 };

type Attributes = Record<string, AttributeValue>;
type Operation = { what: string; attributes?: Attributes; input?: tf.Tensor; shape?: tf.Tensor };

export function collectives(cluster: Cluster): Omit<Workers, "abandon"> {
  const { rank, workers } = cluster;
  const size = workers.length;
  const run = operations(cluster);
  const sumOf = (vector: tf.Tensor1D, what: string) =>
    run("CollectiveReduceV2", {
      what: `sum ${what} ${vector.size}`,
      attributes: { ...ORDERED, merge_op: "Add", final_op: "Id", max_subdivs_per_device: -1 },
      input: vector,
    });
  const gatherNumbers = (vector: tf.Tensor1D) =>
    run("CollectiveGatherV2", { what: `gather ${vector.size}`, attributes: ORDERED, input: vector }) as tf.Tensor1D;
  /** The first worker's numbers `[length]` on all of them. */
  const numbersFromFirst = (numbers: Float32Array): Float32Array => {
    const what = `from first ${numbers.length}`;
    return tf.tidy(() => {
      if (rank > 0) {
        const attributes = { Tshape: { type: "int32" as const } };
        const shape = tf.tensor1d([numbers.length], "int32");
        return readNow(run("CollectiveBcastRecvV2", { what, attributes, shape })) as Float32Array;
      }
      run("CollectiveBcastSendV2", { what, input: tf.tensor1d(numbers) });
      return numbers;
    });
  };
  /** Numbers `[length]` of each worker, by rank; `length` is the same on each. */
  const gatherHost = (numbers: Float32Array): Float32Array[] =>
    tf.tidy(() => {
      const all = readNow(gatherNumbers(tf.tensor1d(numbers))) as Float32Array;
      return workers.map((_, i) => all.subarray(i * numbers.length, (i + 1) * numbers.length));
    });
  const gatherBytes = (bytes: Uint8Array): Uint8Array[] => {
    const lengths = gatherHost(lengthNumbers(bytes.length)).map(lengthOf);
    const own = toNumbers(bytes, Math.max(...lengths));
    const all = workers.map(() => new Float32Array(own.length));
    for (const { from, piece } of pieces(own))
      for (const [i, found] of gatherHost(piece).entries()) all[i]!.set(found.subarray(0, own.length - from), from);
    return all.map((numbers, i) => fromNumbers(numbers, lengths[i]!));
  };
  const bytesFromFirst = (bytes: Uint8Array | undefined): Uint8Array => {
    const length = lengthOf(numbersFromFirst(lengthNumbers(bytes?.length ?? 0)));
    const numbers = toNumbers(bytes ?? new Uint8Array(), length);
    for (const { from, piece } of pieces(numbers))
      numbers.set(numbersFromFirst(piece).subarray(0, numbers.length - from), from);
    return fromNumbers(numbers, length);
  };
  return {
    ...{ rank, size, isFirst: rank === 0 },
    sum: (numbers) => tf.tidy(() => [...readNow(sumOf(tf.tensor1d([...numbers], "float32"), "numbers"))]),
    gather: <T>(value: T) => gatherBytes(serialize(value)).map((bytes) => deserialize(bytes) as T),
    fromFirst: <T>(value: T | undefined) => deserialize(bytesFromFirst(rank === 0 ? serialize(value) : undefined)) as T,
    sumTensors: (tensors) => inBuckets(tensors, (vector, bucket) => sumOf(vector, `bucket ${bucket}`)),
    gatherNumbers,
  };
}

/** Runs collective operations of all workers as one group. */
function operations(cluster: Cluster): (name: string, operation: Operation) => tf.Tensor {
  const constant = (value: number) => tf.keep(tf.scalar(value, "int32"));
  const [count, group] = [constant(cluster.workers.length), constant(GROUP)];
  const numbers = new Map<string, tf.Tensor>();
  /** Of operations of the same kind and length: a new number each time would leak. All workers meet them in the same order. */
  const numberOf = (what: string): tf.Tensor => {
    const number = numbers.get(what) ?? constant(numbers.size);
    numbers.set(what, number);
    return number;
  };
  return (name, { what, attributes = {}, input, shape }) => {
    const inputs = [...(input ? [input] : []), count, group, numberOf(what), ...(shape ? [shape] : [])];
    try {
      return rawOp(name, { ...COMMON, ...attributes }, inputs);
    } catch (cause) {
      throw workerLost(cause, cluster);
    }
  };
}
