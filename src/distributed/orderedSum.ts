// Sums over all workers in the order of one process. The gradients go into variables of TensorFlow, a graph over several workers takes
// them from there and leaves the sums in others: its runtime sends what one worker gives another straight out of the memory of the one
// into that of the other, which its collective operations copy several times on the way.

import * as tf from "@tensorflow/tfjs-core";
import { rawOp, rawOps } from "../engine/backend.ts";
import type { DistributedAddon } from "../engine/distributedAddon.ts";
import {
  type GraphNode,
  graphDef,
  shapeValue,
  stringValue,
  TYPES,
  typesValue,
  typeValue,
} from "../engine/recording/graphDef.ts";
import type { Encoded } from "../util/protobuf.ts";
import { apart, bucketsOf, joined } from "./buckets.ts";
import type { Cluster } from "./cluster.ts";
import { devicePrefix, sessionConfig } from "./serverDef.ts";
import type { Workers } from "./workers.ts";

/** Sums of vectors of these lengths; `batches`: how many of each this worker adds. All workers know a sum by its name. */
type Sum = { name: string; lengths: readonly number[]; batches: number };

const ownName = ({ name }: Sum, bucket: number, batch: number) => `${name}/${bucket}/own/${batch}`;
const totalName = ({ name }: Sum, bucket: number) => `${name}/${bucket}/total`;

/** `Workers.sumBatches`. `whenLost` rejects where a worker is gone; a run of the graph may wait for it forever. */
export function orderedSum(cluster: Cluster, addon: DistributedAddon, whenLost: Promise<never>): Workers["sumBatches"] {
  const names = new Map<string, string>();
  const sessions = new Map<string, number>();
  const open = (sum: Sum): number => {
    const key = `${sum.name} ${sum.batches}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const config = sessionConfig([cluster.rank, workerBefore(cluster)]);
    const target = `grpc://${cluster.workers[cluster.rank]}`;
    const session = addon.openSession(graphDef(sumNodes(cluster, sum)), config, target, DONE);
    sessions.set(key, session);
    return session;
  };
  const run = unlessRejected(whenLost);
  return async (batches, recorder) => {
    const [shapes, sizes] = [batches[0]!.map(({ shape }) => shape), batches[0]!.map(({ size }) => size)];
    const buckets = bucketsOf(sizes);
    const lengths = buckets.map((places) => places.reduce((length, place) => length + sizes[place]!, 0));
    const name = names.get(String(lengths)) ?? `sum${names.size}`;
    names.set(String(lengths), name);
    const sum = { name, lengths, batches: batches.length };
    const chain = recorder.chain("sum", { parts: 2, key: name });
    await chain.part(batches, () => {
      for (const [bucket, places] of buckets.entries())
        for (const [batch, tensors] of batches.entries())
          tf.tidy(() => leave(ownName(sum, bucket, batch), joined(tensors, places)));
      return [];
    });
    await run(() => addon.runSession(open(sum)));
    return chain.part([], () =>
      buckets.flatMap((places, bucket) =>
        tf.tidy(() => apart(take(totalName(sum, bucket), lengths[bucket]!), places, shapes)),
      ),
    );
  };
}

/** What `work` gives, unless `promise` rejects first. A race would hold on to everything that ever ran beside so long a promise. */
function unlessRejected(promise: Promise<never>): <T>(work: () => Promise<T>) => Promise<T> {
  let [giveUp, reason]: [((reason: unknown) => void) | undefined, unknown] = [undefined, undefined];
  promise.catch((why) => {
    reason = why;
    giveUp?.(why);
  });
  return (work) =>
    new Promise((resolve, reject) => {
      giveUp = reject;
      if (reason === undefined) work().then(resolve, reject);
      else reject(reason);
    });
}

const FLOAT = { type: "float" } as const;

function variableOf(name: string, length: number): tf.Tensor {
  return rawOp("VarHandleOp", { dtype: FLOAT, shape: { shape: [length] }, container: "", shared_name: name }, []);
}

/** Leave a vector in a variable; no copy is made. */
function leave(name: string, vector: tf.Tensor1D): void {
  rawOps("AssignVariableOp", { dtype: FLOAT }, [variableOf(name, vector.size), vector], 0);
}

/** The vector of a variable, which is gone then. */
function take(name: string, length: number): tf.Tensor {
  const variable = variableOf(name, length);
  const vector = rawOp("ReadVariableOp", { dtype: FLOAT }, [variable]);
  rawOps("DestroyResourceOp", { ignore_lookup_error: false }, [variable], 0);
  return vector;
}

/** The rank of the worker whose numbers come to this one; the last one is before the first. */
function workerBefore({ rank, workers }: Cluster): number {
  return (rank + workers.length - 1) % workers.length;
}

/** The node of a sum's graph that is over when all of it is. */
const DONE = "done";

/**
 * This worker's part of a sum. From each worker to the next goes the sum so far, from the first worker's first batch to the last one's
 * last; and from the last worker around to the last but one what came of it. What a worker has for the next one waits in a queue.
 */
function sumNodes(cluster: Cluster, sum: Sum): GraphNode[] {
  const { rank, workers } = cluster;
  const [before, last] = [workerBefore(cluster), workers.length - 1];
  const nodes: GraphNode[] = [];
  const ends: string[] = [];
  const add = (name: string, op: string, attributes: Record<string, Encoded>, inputs: string[] = [], task = rank) => {
    const device = `${devicePrefix(task)}device:CPU:0`;
    nodes.push({ name, op, inputs, attributes: new Map(Object.entries(attributes)), device });
    return name;
  };
  const dtype = typeValue(TYPES.float);
  const variable = (name: string, length: number) =>
    add(name, "VarHandleOp", { dtype, shape: shapeValue([length]), shared_name: stringValue(name) });
  const taken = (name: string, length: number) => {
    const handle = variable(name, length);
    const read = add(`${name}/read`, "ReadVariableOp", { dtype }, [handle]);
    ends.push(add(`${name}/free`, "DestroyResourceOp", {}, [handle, `^${read}`]));
    return read;
  };
  const types = typesValue([TYPES.float]);
  const queue = (name: string, task: number) =>
    add(`${name}/of${task}`, "FIFOQueueV2", { component_types: types, shared_name: stringValue(name) }, [], task);
  const send = (name: string, value: string) =>
    ends.push(add(`${name}/put`, "QueueEnqueueV2", { Tcomponents: types }, [queue(name, rank), value]));
  const receive = (name: string, task: number) =>
    add(`${name}/get`, "QueueDequeueV2", { component_types: types }, [queue(name, task)], task);
  for (const [bucket, length] of sum.lengths.entries()) {
    const [soFar, ofAll] = ["so_far", "of_all"].map((what) => `${sum.name}/${bucket}/${what}`) as [string, string];
    const own = Array.from({ length: sum.batches }, (_, batch) => taken(ownName(sum, bucket, batch), length));
    const parts = rank > 0 ? [receive(soFar, before), ...own] : own;
    const mine = parts.reduce((a, b) => add(`${b}/sum`, "AddV2", { T: dtype }, [a, b]));
    if (rank < last) send(soFar, mine);
    const total = rank === last ? mine : receive(ofAll, before);
    if (rank === last || rank < last - 1) send(ofAll, total);
    const handle = variable(totalName(sum, bucket), length);
    ends.push(add(`${handle}/write`, "AssignVariableOp", { dtype }, [handle, total]));
  }
  add(DONE, "NoOp", {}, ends.map((end) => `^${end}`)); // biome-ignore format: one line
  return nodes;
}
