// What disturbs a measurement: other programs, a hypervisor, limits of a container, heat, a clock that is not at its best.

import { readdir, readFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";

/** The machine and this process at one moment; undefined is what this system does not tell. */
export type MachineState = {
  /** Milliseconds of a steady clock. */
  time: number;
  cores: number;
  /** Average number of programs that wanted to run in the last minute. */
  load: number;
  /** Seconds of processor time of this process, all threads together. */
  own: number;
  /** The same of every process, and what a hypervisor gave to other machines. */
  busy: number | undefined;
  stolen: number | undefined;
  /** Seconds for which a container's limit stopped its threads. */
  throttled: number | undefined;
  /** How often a core was slowed down because of heat. */
  overheated: number | undefined;
  /** Pages read back from the disk. */
  pageFaults: number;
  /** Of the processor's frequency, such as "powersave". */
  governor: string | undefined;
};

/** Clock ticks a second in /proc/stat; the same on every Linux that Node runs on. */
const TICKS = 100;

export async function machineState(): Promise<MachineState> {
  const { user, system } = process.cpuUsage();
  const [stat, throttled, overheated, governor] = await Promise.all([
    text("/proc/stat"),
    throttledSeconds(),
    overheatings(),
    text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
  ]);
  return {
    time: performance.now(),
    cores: availableParallelism(),
    load: loadavg()[0]!,
    own: (user + system) / 1e6,
    ...processorTime(stat),
    throttled,
    overheated,
    pageFaults: process.resourceUsage().majorPageFault,
    governor: governor?.trim() || undefined,
  };
}

/** Seconds of all cores together, from the first line of /proc/stat. */
export function processorTime(stat: string | undefined): Pick<MachineState, "busy" | "stolen"> {
  const [user, nice, system, , , irq, softirq, steal] = /^cpu +([\d ]+)/.exec(stat ?? "")?.[1]?.split(" ").map(Number) ?? []; // biome-ignore format: one line
  if (user === undefined || steal === undefined) return { busy: undefined, stolen: undefined };
  return { busy: (user + nice! + system! + irq! + softirq!) / TICKS, stolen: steal / TICKS };
}

/** Of the container's group, by either version of Linux's control groups. */
async function throttledSeconds(): Promise<number | undefined> {
  const second = await text("/sys/fs/cgroup/cpu.stat");
  const micro = /^throttled_usec (\d+)/m.exec(second ?? "")?.[1];
  if (micro !== undefined) return Number(micro) / 1e6;
  const nano = /^throttled_time (\d+)/m.exec((await text("/sys/fs/cgroup/cpu/cpu.stat")) ?? "")?.[1];
  return nano === undefined ? undefined : Number(nano) / 1e9;
}

async function overheatings(): Promise<number | undefined> {
  const root = "/sys/devices/system/cpu";
  const cores = (await readdir(root).catch(() => [])).filter((name) => /^cpu\d+$/.test(name));
  const counts = await Promise.all(cores.map((core) => text(`${root}/${core}/thermal_throttle/core_throttle_count`)));
  const known = counts.filter((count) => count !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, count) => sum + Number(count), 0);
}

function text(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

/** Other programs may use this share of all cores before it is worth a note; a desktop at rest uses one or two per cent. */
const OTHERS = 0.05;
const STOLEN = 0.01;

/** What disturbed a measurement between two moments, a sentence each; empty where nothing was seen. */
export function disturbances(before: MachineState, after: MachineState): string[] {
  const notes: string[] = [];
  const seconds = (after.time - before.time) / 1000;
  const all = seconds * before.cores;
  const since = (key: "own" | "busy" | "stolen" | "throttled" | "overheated" | "pageFaults") => {
    const [from, to] = [before[key], after[key]];
    return from === undefined || to === undefined ? undefined : to - from;
  };
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const busy = since("busy");
  if (busy !== undefined && all > 0) {
    const others = (busy - since("own")!) / all;
    if (others > OTHERS)
      notes.push(`Other programs used ${percent(others)} of the ${before.cores} cores while this was measured.`);
  } else if (before.load > before.cores / 2) {
    notes.push(`The load average was ${before.load.toFixed(1)} on ${before.cores} cores before it began.`);
  }
  const stolen = since("stolen");
  if (stolen !== undefined && all > 0 && stolen / all > STOLEN)
    notes.push(`The hypervisor gave ${percent(stolen / all)} of the processor to other machines.`);
  const throttled = since("throttled");
  if (throttled !== undefined && throttled > 0)
    notes.push(`The container's processor limit stopped its threads for ${throttled.toFixed(2)} s in all.`);
  const heat = since("overheated");
  if (heat) notes.push(`Cores were slowed down because of heat ${times(heat)}.`);
  const faults = since("pageFaults");
  if (faults) notes.push(`Memory was read back from the disk ${times(faults)}.`);
  if (before.governor === "powersave" || before.governor === "conservative")
    notes.push(`The processor's frequency governor is "${before.governor}", which saves power at the cost of speed.`);
  return notes;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
