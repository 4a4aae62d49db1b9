// Joins TensorFlow's distributed runtime, before anything else loads the engine.

import { lookup } from "node:dns/promises";
import pRetry from "p-retry";
import { loadBackend } from "../engine/backend.ts";
import { loadDistributedAddon } from "../engine/distributedAddon.ts";
import { UserError } from "../util/errors.ts";
import type { Cluster } from "./cluster.ts";
import { collectives } from "./collectives.ts";
import { devicePrefix, type RuntimeLimits, runtimeMessages } from "./serverDef.ts";
import { tasksIn } from "./workerLost.ts";
import type { Workers } from "./workers.ts";

/** Machines of one job may start minutes apart; a worker that shows no sign of life for so long is gone. */
const LIMITS: RuntimeLimits = { register: 300_000, heartbeat: 20_000, shutdown: 10_000 };

export type JoinOptions = {
  /** The address of this machine at which the runtime listens; default: that of its own host in the list of workers. */
  listen?: string | undefined;
  limits?: Partial<RuntimeLimits>;
};

/** TensorFlow's status code for what was ended on purpose. */
const ABORTED = 10;

/**
 * Join the other workers; returns when all of them are there. The runtime listens without authentication, at one address only.
 * @throws UserError where this system, its set-up or the addresses do not allow it, or a worker does not come
 */
export async function joinWorkers(cluster: Cluster, { listen, limits }: JoinOptions = {}): Promise<Workers> {
  const [host, port] = splitAddress(cluster.workers[cluster.rank]!);
  const address = await addressOf(listen ?? host);
  const addon = loadDistributedAddon();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3"; // what it says of other workers comes as an error, too
  const all = { ...LIMITS, ...limits };
  const { config, server } = runtimeMessages(cluster, all);
  addon.prepare(config, server, devicePrefix(cluster.rank), address, port);
  let failure: unknown;
  try {
    loadBackend();
  } catch (error) {
    failure = error;
  }
  const { joined, error, listening } = addon.state();
  if (!joined)
    throw notJoined(error, cluster, { at: `${address}:${port}`, seconds: all.register / 1000, cause: failure });
  if (!listening) throw new Error(`TensorFlow's runtime does not listen at ${address} alone`);
  return { ...collectives(cluster, addon), abandon: (why) => addon.report(ABORTED, why) };
}

function notJoined(
  error: string,
  { workers, rank }: Cluster,
  { at, seconds, cause }: { at: string; seconds: number; cause: unknown },
): UserError {
  const why = error || (cause instanceof Error ? cause.message : "the engine was loaded without it");
  const listed = tasksIn(/timed out task names:((?:\n\/job:\S+)*)/.exec(why)?.[1] ?? "");
  // without the first worker there is nobody to say who is missing
  const missing = listed.length === 0 && rank > 0 && /Deadline Exceeded/i.test(why) ? [0] : listed;
  if (missing.length > 0) {
    const named = missing.slice(0, 3).map((task) => `${task} (${workers[task]})`).join(", "); // biome-ignore format: one line
    const rest = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
    return new UserError(`Worker ${named}${rest} did not come within ${seconds} seconds.`, {
      hint: "Start all workers with the same list, each with its own --rank; --wait SECONDS says how long to wait for them.",
      code: "worker-lost",
      cause,
    });
  }
  const isTaken = /bind|in use|Could not start gRPC server/i.test(why);
  return new UserError(`This worker could not join the others at ${at}: ${why.split("\n")[0]}`, {
    hint: isTaken
      ? "The port is in use, or the address is not this machine's: --listen ADDRESS names the one to listen at."
      : "Are all workers started, with the same list of workers, and can they reach each other's ports?",
    code: "worker-lost",
    cause,
  });
}

function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at).replace(/^\[|\]$/g, ""), Number(address.slice(at + 1))];
}

/** A host's address; a name that is not known yet, as of a machine that has just started, is asked for again. */
async function addressOf(host: string): Promise<string> {
  const ask = () => lookup(host).then(({ address }) => address);
  return pRetry(ask, { retries: 5, minTimeout: 500, factor: 2 }).catch((cause: Error) => {
    throw new UserError(`The host ${host} of this worker is not known: ${cause.message}`, {
      hint: "Check the list of workers, or name the address to listen at with --listen ADDRESS.",
      cause,
    });
  });
}
