// TensorFlow's collective operations: what the workers of a cluster that has been joined do together.

import { deserialize, serialize } from "node:v8";
import * as tf from "@tensorflow/tfjs-core";
import { type AttributeValue, loadBackend, rawOp, readNow } from "../engine/backend.ts";
import { UserError } from "../util/errors.ts";
import { inBuckets } from "./buckets.ts";
import { fromNumbers, lengthNumbers, lengthOf, pieces, toNumbers } from "./bytes.ts";
import type { Cluster } from "./cluster.ts";
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

export function collectives(cluster: Cluster): Omit<Workers, "abandon"> {
  const { rank, workers } = cluster;
  const size = workers.length;
  const run = operations(cluster, { key: 1, size });
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
  const sumVectors = inOrder
    ? sumInOrder(cluster, linksOf(cluster))
    : (own: readonly tf.Tensor1D[], what: string) => sumOf(addUp(own), what);
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
    async sumBatches(batches, recorder) {
      const sumAll = () => inBuckets(batches, (vectors, bucket) => sumVectors(vectors, `bucket ${bucket}`));
      try {
        return await recorder.chain("sum").part(batches, sumAll);
      } catch (cause) {
        throw cause instanceof UserError ? cause : workerLost(cause, cluster);
      }
    },
    gatherNumbers,
  };
}

/** Runs collective operations of a group of workers; they know it by its key. */
function operations(
  cluster: Cluster,
  group: { key: number; size: number },
): (name: string, operation: Operation) => tf.Tensor {
  const numbers = new Map<string, number>();
  /** A new number each time would leak. */
  const numberOf = (what: string): number => {
    const number = numbers.get(what) ?? numbers.size;
    numbers.set(what, number);
    return number;
  };
  return (name, { what, attributes = {}, input, length }) => {
    const keys = [group.size, group.key, numberOf(what)].map((key) => tf.scalar(key, "int32"));
    const inputs = [...(input ? [input] : []), ...keys];
    if (length !== undefined) inputs.push(tf.tensor1d([length], "int32"));
    try {
      return rawOp(name, { ...COMMON, ...(length !== undefined && INT_SHAPE), ...attributes }, inputs);
    } catch (cause) {
      throw workerLost(cause, cluster);
    }
  };
}

const addUp = (vectors: readonly tf.Tensor1D[]) => vectors.reduce((sum, vector) => tf.add(sum, vector));

/** Vectors `[numbers]` from one worker to another. */
type Links = {
  send(to: number, vector: tf.Tensor1D, what: string): void;
  receive(from: number, length: number, what: string): tf.Tensor1D;
};

function linksOf(cluster: Cluster): Links {
  const size = cluster.workers.length;
  const links = new Map<number, ReturnType<typeof operations>>();
  const linkTo = (other: number) => {
    const [low, high] = [Math.min(cluster.rank, other), Math.max(cluster.rank, other)];
    const link = links.get(other) ?? operations(cluster, { key: 2 + low * size + high, size: 2 });
    links.set(other, link);
    return link;
  };
  return {
    send: (to, input, what) => void linkTo(to)("CollectiveBcastSendV2", { what: `${what} ${input.size}`, input }),
    receive: (from, length, what) =>
      linkTo(from)("CollectiveBcastRecvV2", { what: `${what} ${length}`, length }) as tf.Tensor1D,
  };
}

/**
 * The sum of vectors of all workers, each of which has some: one after the other, from the first worker's first to the last one's last, as
 * one process would. From each worker to the next goes the sum so far, and from the last one around to the last but one what came of it.
 */
function sumInOrder({ rank, workers }: Cluster, { send, receive }: Links) {
  const last = workers.length - 1;
  return (own: readonly tf.Tensor1D[], what: string): tf.Tensor1D => {
    const [{ size }] = own as [tf.Tensor1D];
    const before = rank > 0 ? [receive(rank - 1, size, `${what} so far`)] : [];
    const sum = addUp([...before, ...own]);
    if (rank === last) {
      send(0, sum, `${what} of all`);
      return sum;
    }
    send(rank + 1, sum, `${what} so far`);
    const total = receive(rank === 0 ? last : rank - 1, size, `${what} of all`);
    if (rank < last - 1) send(rank + 1, total, `${what} of all`);
    return total;
  };
}
