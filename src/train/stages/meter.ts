// What the steps of a stage cost: their times, and the peak of the memory that the process held in them.

import { readFileSync, writeFileSync } from "node:fs";

/** `seconds`: median of a step without the wait for its images. `peakBytes`: most resident memory in a step. */
export type Cost = { steps: number; seconds: number; peakBytes: number };

export type Meter = {
  /** Just before and just after the work of a step. */
  begin(): void;
  end(): void;
  /** Of the steps since the last call; null where there were none. */
  take(): Cost | null;
};

export function stepMeter(): Meter {
  let began = 0;
  let seconds: number[] = [];
  let peakBytes = 0;
  return {
    begin() {
      resetPeak();
      began = performance.now();
    },
    end() {
      seconds.push((performance.now() - began) / 1000);
      peakBytes = Math.max(peakBytes, readPeak());
    },
    take() {
      const sorted = seconds.sort((a, b) => a - b);
      const cost = { steps: sorted.length, seconds: sorted[sorted.length >> 1] ?? 0, peakBytes };
      [seconds, peakBytes] = [[], 0];
      return cost.steps > 0 ? cost : null;
    },
  };
}

/** Let the kernel's record of the peak start again (Linux; see proc(5)). It costs microseconds. */
function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // where this cannot be done, the memory after each step is what counts
  }
}

function readPeak(): number {
  const now = process.memoryUsage.rss();
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return kilobytes === undefined ? now : 1024 * Number(kilobytes);
  } catch {
    return now;
  }
}
