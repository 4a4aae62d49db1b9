// How long exported files take for one image, measured in turns so that a disturbance hits all of them.

import { type OnnxSession, openOnnx } from "../onnx/session.ts";

/** Milliseconds of the forward pass, one image, prepared already. */
export type Latency = { p50: number; p90: number; runs: number; threads: number };

/** The files take `batch` images a run, of `side` pixels. `benchmark` measures more than this, and with more care. */
export async function latencies(
  files: readonly string[],
  {
    side,
    batch,
    threads,
    runs,
    decoded,
  }: { side: number; batch: number; threads?: number; runs: number; decoded: boolean },
): Promise<Latency[]> {
  const sessions: OnnxSession[] = [];
  try {
    for (const file of files) sessions.push(await openOnnx(file, threads === undefined ? {} : { threads }));
    const data = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => Math.sin(i / 50));
    const feeds = {
      input: { data, shape: [batch, 3, side, side] },
      ...(decoded && { sizes: { data: new Float32Array(2 * batch).fill(side), shape: [batch, 2] } }),
    };
    const times = sessions.map((): number[] => []);
    for (let run = -WARM_UP; run < runs; run++) {
      for (const [i, session] of sessions.entries()) {
        const begin = performance.now();
        await session.run(feeds);
        if (run >= 0) times[i]!.push((performance.now() - begin) / batch);
      }
    }
    return times.map((own, i) => {
      const sorted = own.sort((a, b) => a - b);
      const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!);
      return { p50: at(0.5), p90: at(0.9), runs, threads: sessions[i]!.threads };
    });
  } finally {
    for (const session of sessions) await session.close();
  }
}

const WARM_UP = 2;

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
