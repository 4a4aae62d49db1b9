// The processes of a launch: each a training of its own, that ends when one of the others has.

import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { visible } from "../../util/visible.ts";

/** Exit codes by rank, null for one that a signal ended; `stopped`: this program was asked to stop. */
export type Ended = { codes: (number | null)[]; stopped: boolean };

/** So long others have to save what they can, once one has ended; and so long after the first worker has. */
const GRACE_MS = 20_000;
const AFTER_FIRST_MS = 3_000;
/** Workers of one machine start at the same time. */
const WAIT_SECONDS = "20";

/** `environment`: what each worker's adds to this process's. `signal` stops all of them, `giveUp` once more. */
export type WorkersOptions = {
  environment: (rank: number) => Record<string, string>;
  signal: AbortSignal;
  giveUp: AbortSignal;
};

/** Start the workers and wait for all of them. Those that stay behind when one has failed are killed. */
export async function startWorkers(
  nproc: number,
  words: readonly string[],
  { environment, signal, giveUp }: WorkersOptions,
): Promise<Ended> {
  const addresses = await freeAddresses(nproc);
  const children = addresses.map((_, rank) => {
    const own = [
      "--workers",
      addresses.join(","),
      "--rank",
      String(rank),
      "--wait",
      WAIT_SECONDS,
      ...(rank > 0 ? ["--log-level", "warn"] : []),
    ];
    const alone = nproc === 1 ? [] : own;
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, "train", ...words, ...alone], {
      stdio: rank === 0 ? "inherit" : ["ignore", "pipe", "pipe"],
      // a terminal tells the first one alone; its end would stop the others, though under nohup the run goes on
      detached: rank > 0,
      env: { ...process.env, ...environment(rank), TF_CONFIG: "", RFDETR_TRAIN_LAUNCHED: "1" },
    });
    if (rank > 0) for (const stream of [child.stdout!, child.stderr!]) passOn(stream, rank);
    return child;
  });
  const stop = () => children.forEach((child) => void child.kill("SIGTERM")); // after the terminal's own it is the same wish
  for (const one of [signal, giveUp]) one.addEventListener("abort", stop, { once: true });
  try {
    return { codes: await endOf(children), stopped: signal.aborted };
  } finally {
    for (const one of [signal, giveUp]) one.removeEventListener("abort", stop);
  }
}

/** Lines of a worker's output, with its rank before them. */
function passOn(stream: NodeJS.ReadableStream, rank: number): void {
  createInterface({ input: stream }).on("line", (line) => {
    if (line.trim() !== "") process.stderr.write(`[worker ${rank}] ${visible(line, { lines: true })}\n`);
  });
}

/** Exit codes of all, in order; once one has failed, the others have a while to end. */
async function endOf(children: readonly ChildProcess[]): Promise<(number | null)[]> {
  const timers: NodeJS.Timeout[] = [];
  const killAfter = (ms: number) => timers.push(setTimeout(() => children.forEach((one) => void one.kill("SIGKILL")), ms)); // biome-ignore format: one line
  const codes = await Promise.all(
    children.map(
      (child, rank) =>
        new Promise<number | null>((resolve) => {
          child.once("error", () => resolve(1));
          child.once("close", (code) => {
            if (code !== 0) killAfter(rank === 0 ? AFTER_FIRST_MS : GRACE_MS);
            resolve(code);
          });
        }),
    ),
  );
  for (const timer of timers) clearTimeout(timer);
  return codes;
}

/** Addresses `host:port` on this machine at which nobody listens. */
export async function freeAddresses(count: number): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => resolve(server));
      });
    }),
  );
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as { port: number }).port}`);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return addresses;
}
