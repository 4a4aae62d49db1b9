// What TensorFlow's runtime is told of the workers: messages ConfigProto and ServerDef (tensorflow/core/protobuf).

import { type Encoded, embed, int, message, text, toBytes } from "../util/protobuf.ts";
import type { Cluster } from "./cluster.ts";

/** How long the runtime waits, in milliseconds: for all workers to be there, for a sign of life, and for all to end. */
export type RuntimeLimits = { register: number; heartbeat: number; shutdown: number };

const JOB = "worker";

/** What the names of a worker's devices begin with. */
export function devicePrefix(rank: number): string {
  return `/job:${JOB}/replica:0/task:${rank}/`;
}

/** `config`: a ConfigProto; `server`: a ServerDef that has it. Worker 0 leads the groups and runs the coordination service. */
export function runtimeMessages(cluster: Cluster, limits: RuntimeLimits): { config: Uint8Array; server: Uint8Array } {
  const { workers, rank } = cluster;
  const config = configProto(workers.length, limits);
  const job = embed(1, text(1, JOB), ...workers.map((address, i) => embed(2, int(1, i), text(2, address))));
  const server = message(embed(1, job), text(2, JOB), int(3, rank), embed(4, config), text(5, "grpc"));
  return { config: toBytes(config), server: toBytes(server) };
}

/** A ConfigProto for graphs of this worker and some others; they run as they are. */
export function sessionConfig(tasks: readonly number[]): Uint8Array {
  const filters = tasks.map((task) => text(4, `/job:${JOB}/task:${task}`));
  const asIs = embed(10, embed(3, int(3, -1)), embed(10, int(19, true))); // no optimiser of graphs
  return toBytes(message(...filters, asIs));
}

function configProto(workers: number, { register, heartbeat, shutdown }: RuntimeLimits): Encoded {
  const leader = devicePrefix(0).slice(0, -1);
  const coordination = message(
    ...[text(1, "standalone"), text(2, leader), int(3, true)], // service type, its leader, health checks
    ...[int(4, register), int(5, heartbeat), int(7, shutdown)],
    int(14, true), // all wait until the last one is there, the leader too
    embed(10, text(1, JOB), int(2, workers)),
  );
  const experimental = message(text(1, leader), int(7, true), embed(23, coordination)); // NCCL, where there are GPUs
  return message(embed(6, int(4, true)), embed(16, experimental)); // a GPU's memory as it is needed
}
