// TensorFlow's collective operations: what the workers of a cluster that has been joined do together.

import { deserialize, serialize } from "node:v8";
import * as tf from "@tensorflow/tfjs-core";
import { type AttributeValue, loadBackend, rawOp, readNow } from "../engine/backend.ts";
import type { DistributedAddon } from "../engine/distributedAddon.ts";
import { UserError } from "../util/errors.ts";
import { apart, bucketsOf, joined } from "./buckets.ts";
import { fromNumbers, lengthNumbers, lengthOf, pieces, toNumbers } from "./bytes.ts";
import type { Cluster } from "./cluster.ts";
import { orderedSum } from "./orderedSum.ts";
import { workerLost } from "./workerLost.ts";
import type { Workers } from "./workers.ts";

const FLOAT = { type: "float" } as const;
/** A limit of time would leave two sleeping threads an operation; the service that watches the workers needs none. */
const COMMON = { T: FLOAT, communication_hint: "auto", timeout_seconds: { float: 0 } };
const ORDERED = { is_stateless: false, Nordering_token: 0 };
const INT_SHAPE = { Tshape: { type: "int32" as const } };

/**
 * Workers that sum up in the order of one process. With more, the way of each number from the first to the last one and around takes
 * longer than the ring of TensorFlow's own sum, which all enter at once; and a GPU has a quicker one.
 */
const MOST_IN_ORDER = 8;

type Attributes = Record<string, AttributeValue>;
/** `what`: operations of the same kind and length are the same; all of a group meet them in the same order. */
type Operation = { what: string; attributes?: Attributes; input?: tf.Tensor; length?: number };

export function collectives(cluster: Cluster, addon: DistributedAddon): Omit<Workers, "abandon"> {
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
  const sumUp = (numbers: readonly number[]) =>
    tf.tidy(() => [...readNow(sumOf(tf.tensor1d([...numbers], "float32"), "numbers"))]);
  const inOrder = size <= MOST_IN_ORDER && sumUp([Number(loadBackend().isUsingGpuDevice)])[0] === 0;
  const sumBatches = inOrder ? orderedSum(cluster, addon, whenLost(cluster, addon)) : ringSum(sumOf);
  /** The first worker's numbers `[length]` on all of them. */
  const numbersFromFirst = (numbers: Float32Array): Float32Array => {
    const what = `from first ${numbers.length}`;
    return tf.tidy(() => {
      if (rank > 0) return readNow(run("CollectiveBcastRecvV2", { what, length: numbers.length })) as Float32Array;
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
    ...{ rank, size, isFirst: rank === 0, inOrder },
    sum: sumUp,
    gather: <T>(value: T) => gatherBytes(serialize(value)).map((bytes) => deserialize(bytes) as T),
    fromFirst: <T>(value: T | undefined) => deserialize(bytesFromFirst(rank === 0 ? serialize(value) : undefined)) as T,
    sumBatches: (batches, recorder) =>
      sumBatches(batches, recorder).catch((cause) => {
        throw cause instanceof UserError ? cause : workerLost(cause, cluster);
      }),
    gatherNumbers,
  };
}

/** All workers know their group by this key. */
const GROUP = 1;

/** Runs collective operations of all workers. */
function operations(cluster: Cluster): (name: string, operation: Operation) => tf.Tensor {
  const numbers = new Map<string, number>();
  /** A new number each time would leak. */
  const numberOf = (what: string): number => {
    const number = numbers.get(what) ?? numbers.size;
    numbers.set(what, number);
    return number;
  };
  return (name, { what, attributes = {}, input, length }) => {
    const keys = [cluster.workers.length, GROUP, numberOf(what)].map((key) => tf.scalar(key, "int32"));
    const inputs = [...(input ? [input] : []), ...keys];
    if (length !== undefined) inputs.push(tf.tensor1d([length], "int32"));
    try {
      return rawOp(name, { ...COMMON, ...(length !== undefined && INT_SHAPE), ...attributes }, inputs);
    } catch (cause) {
      throw workerLost(cause, cluster);
    }
  };
}

/** Keys far from those that are counted; two, because TensorFlow refuses a broadcast that a whole group waits for. */
const NEVER_SENT = { first: 2 ** 30, others: 2 ** 30 + 1 };

/** Rejects where a worker is gone. */
function whenLost({ rank, workers }: Cluster, addon: DistributedAddon): Promise<never> {
  return addon.watch(workers.length, GROUP, rank === 0 ? NEVER_SENT.first : NEVER_SENT.others);
}

/** `Workers.sumBatches` by TensorFlow's own sum: bucket by bucket, in which all take part at once. */
function ringSum(sumOf: (vector: tf.Tensor1D, what: string) => tf.Tensor): Workers["sumBatches"] {
  return (batches, recorder) => {
    const shapes = batches[0]!.map(({ shape }) => shape);
    const buckets = bucketsOf(batches[0]!.map(({ size }) => size));
    const sumBucket = (places: readonly number[], bucket: number) => {
      const own = batches.map((tensors) => joined(tensors, places)).reduce((sum, vector) => tf.add(sum, vector));
      return apart(sumOf(own, `bucket ${bucket}`), places, shapes);
    };
    const sumAll = () => buckets.flatMap((places, bucket) => tf.tidy(() => sumBucket(places, bucket)));
    return recorder.chain("sum").part(batches, sumAll);
  };
}
