// Which processes train together, and which of them this is: as options, schedulers' environment variables and TF_CONFIG say it.

import { UserError } from "../util/errors.ts";
import { parseJson } from "../util/untrusted/json.ts";

/** Workers that train together, as "host:port", in the order of their ranks; `rank` is this process's. Worker 0 writes the run's folder. */
export type Cluster = { workers: readonly string[]; rank: number };

export type ClusterOptions = {
  /** "host:port,host:port", or "slurm": as Slurm's variables say. */
  workers?: string | undefined;
  rank?: number | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

const MOST = 1024;

/**
 * The workers that options or TF_CONFIG name; undefined where this process trains alone, as with a single one. Slurm is asked only where
 * `workers` says so: a program that a batch script starts by itself has Slurm's variables, too.
 * @throws UserError naming what is wrong
 */
export function clusterOf({ workers, rank }: ClusterOptions, env: Environment = process.env): Cluster | undefined {
  if (workers === undefined && rank !== undefined)
    throw new UserError("--rank says which of several workers this is; --workers is missing.", {
      hint: "Name all of them, in the same order on each: --workers host0:2222,host1:2222 --rank 0",
    });
  const found = workers === undefined ? ofTfConfig(env.TF_CONFIG) : ofOptions({ workers, rank }, env);
  return found && found.workers.length > 1 ? found : undefined;
}

function ofOptions({ workers, rank }: { workers: string; rank: number | undefined }, env: Environment): Cluster {
  if (workers === "slurm") {
    if (rank !== undefined) throw new UserError("--rank cannot be given with --workers slurm: Slurm says it.");
    return ofSlurm(env);
  }
  const list = workers.split(",").map((one) => one.trim());
  for (const one of list) requireAddress(one, "--workers");
  if (rank === undefined)
    throw new UserError(`--workers names ${list.length} workers; --rank must say which one this is.`, {
      hint: `Give each a number of its own, from 0 to ${list.length - 1}.`,
    });
  return checked({ workers: list, rank }, { workers: "--workers", rank: "--rank" });
}

function checked({ workers, rank }: Cluster, named: { workers: string; rank: string }): Cluster {
  if (workers.length > MOST)
    throw new UserError(`${named.workers} names ${workers.length} workers; ${MOST} is the most.`);
  const twice = workers.find((one, i) => workers.indexOf(one) !== i);
  if (twice) throw new UserError(`${named.workers} names ${twice} twice; each worker needs a port of its own.`);
  if (!(Number.isInteger(rank) && rank >= 0 && rank < workers.length))
    throw new UserError(`${named.rank} is ${rank}; with ${workers.length} workers it is 0 to ${workers.length - 1}.`);
  return { workers, rank };
}

/** Throws a UserError where a text is no host and port. */
function requireAddress(text: unknown, where: string): asserts text is string {
  const [, port] = (typeof text === "string" && /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text)) || [];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65535) return;
  throw new UserError(`${where} has ${JSON.stringify(text)}, which is no host and port.`, {
    hint: "Such as trainer-0:2222, 10.0.0.7:2222 or [fd00::7]:2222.",
  });
}

/** {"cluster": {"chief": [...], "worker": [...]}, "task": {"type": "worker", "index": 0}}, as training operators set it; the chief is worker 0. */
function ofTfConfig(text: string | undefined): Cluster | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  type Config = { cluster?: Record<string, unknown>; task?: { type?: unknown; index?: unknown } } | null;
  let config: Config;
  try {
    config = parseJson(text, "TF_CONFIG") as Config;
  } catch (cause) {
    throw new UserError("The environment variable TF_CONFIG is no JSON.", { hint: HOW_TO_LEAVE, cause });
  }
  const { cluster, task } = config ?? {};
  if (typeof cluster !== "object" || cluster === null) return undefined;
  const of = (kind: string): string[] => {
    const list = cluster[kind] ?? [];
    if (!Array.isArray(list)) throw new UserError(`TF_CONFIG: cluster.${kind} is no list.`, { hint: HOW_TO_LEAVE });
    for (const one of list) requireAddress(one, `TF_CONFIG: cluster.${kind}`);
    return list as string[];
  };
  const first = [...of("chief"), ...of("master")];
  const workers = [...first, ...of("worker")];
  if (workers.length < 2) return undefined;
  const { type, index } = task ?? {};
  if (!["chief", "master", "worker"].includes(String(type)))
    throw new UserError(`TF_CONFIG: task.type is ${JSON.stringify(type ?? null)}; chief and worker train.`, {
      hint: "Parameter servers and evaluators are not needed: leave them out of the job.",
    });
  const rank = (type === "worker" ? first.length : 0) + (typeof index === "number" ? index : Number.NaN);
  return checked({ workers, rank }, { workers: "TF_CONFIG", rank: "The number that TF_CONFIG's task comes to" });
}

const HOW_TO_LEAVE = "Training operators set it. To train alone, unset it.";

/** As many ports as a job could have tasks on one host, away from those that systems hand out. */
const SLURM_PORTS = { from: 20000, count: 10000 };

/**
 * The tasks of the job step that `srun` started: SLURM_STEP_NODELIST and SLURM_STEP_TASKS_PER_NODE say where they are, SLURM_PROCID which one
 * this is. Ports follow from the job's number, so that two jobs on a node do not meet.
 */
function ofSlurm(env: Environment): Cluster {
  const need = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === "")
      throw new UserError(`--workers slurm: the environment variable ${name} is not set.`, {
        hint: "Start the workers with srun, one task each.",
      });
    return value;
  };
  const hosts = expandHosts(need("SLURM_STEP_NODELIST"));
  const tasks = expandCounts(need("SLURM_STEP_TASKS_PER_NODE"));
  if (tasks.length !== hosts.length)
    throw new UserError(
      `SLURM_STEP_NODELIST has ${hosts.length} hosts, and SLURM_STEP_TASKS_PER_NODE is of ${tasks.length}.`,
    );
  const number = (name: string, value = need(name)): number => {
    if (/^\d{1,10}$/.test(value)) return Number(value);
    throw new UserError(`--workers slurm: the environment variable ${name} is ${JSON.stringify(value)}, which is no whole number.`); // biome-ignore format: one line
  };
  const job = number("SLURM_JOB_ID") * 31 + number("SLURM_STEP_ID", env.SLURM_STEP_ID ?? "0");
  const first = SLURM_PORTS.from + ((job * 64) % SLURM_PORTS.count);
  const workers = hosts.flatMap((host, i) => Array.from({ length: tasks[i]! }, (_, task) => `${host}:${first + task}`));
  const rank = number("SLURM_PROCID");
  const cluster = checked({ workers, rank }, { workers: "SLURM_STEP_NODELIST", rank: "SLURM_PROCID" });
  const [here, expected] = [env.SLURMD_NODENAME, workers[rank]!.split(":")[0]];
  if (here !== undefined && here !== expected)
    throw new UserError(`Slurm has put task ${rank} on ${here}, and by its lists it belongs on ${expected}.`, {
      hint: "Tasks are counted node by node: give srun --distribution=block.",
    });
  return cluster;
}

/** "gpu[01-03,7],login" as a list of hosts, as `scontrol show hostnames` writes it. */
function expandHosts(list: string): string[] {
  const parts = list.match(/(?:[^,[\]]|\[[^\]]*\])+/g) ?? [];
  const hosts = parts.flatMap((part) => expandHost(part));
  if (hosts.length === 0 || hosts.some((host) => !/^[\w.-]+$/.test(host)))
    throw new UserError(`SLURM_STEP_NODELIST is ${JSON.stringify(list)}, which is no list of hosts.`);
  return hosts;
}

function expandHost(part: string): string[] {
  const [, before, inner, after] = /^([^[\]]*)\[([^\]]*)\](.*)$/s.exec(part) ?? [];
  if (inner === undefined) return [part];
  const numbers = inner.split(",").flatMap((range) => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (from === undefined) throw new UserError(`SLURM_STEP_NODELIST has the range ${JSON.stringify(range)}.`);
    const length = Math.min(MOST + 1, Number(to ?? from) - Number(from) + 1);
    return Array.from({ length }, (_, i) => String(Number(from) + i).padStart(from.length, "0"));
  });
  const hosts = numbers.flatMap((number) => expandHost(`${before}${number}${after}`));
  if (hosts.length > MOST) throw new UserError(`SLURM_STEP_NODELIST names more than ${MOST} hosts.`);
  return hosts;
}

/** "2(x3),1" as 2, 2, 2, 1. */
function expandCounts(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [, count, times] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? [];
    if (count === undefined)
      throw new UserError(`SLURM_STEP_TASKS_PER_NODE is ${JSON.stringify(list)}, which is no list of counts.`);
    return Array.from({ length: Math.min(MOST + 1, Number(times ?? 1)) }, () => Math.min(MOST + 1, Number(count)));
  });
}
