import { expect, it } from "vitest";
import { disturbances, type MachineState, machineState, processorTime } from "./disturbance.ts";

const before: MachineState = {
  time: 1000,
  cores: 4,
  load: 0.2,
  own: 3,
  busy: 500,
  stolen: 2,
  throttled: 1,
  overheated: 7,
  pageFaults: 5,
  governor: "performance",
};
/** Ten seconds later: two cores were busy, all of it our own work. */
const quiet: MachineState = { ...before, time: 11_000, own: 23, busy: 520 };

it("says nothing of a quiet machine", () => {
  expect(disturbances(before, quiet)).toEqual([]);
});

it("names each thing that disturbs, with how much", () => {
  const cases: [Partial<MachineState>, string][] = [
    [{ busy: 530 }, "Other programs used 25 % of the 4 cores while this was measured."],
    [{ stolen: 4 }, "The hypervisor gave 5 % of the processor to other machines."],
    [{ throttled: 1.5 }, "The container's processor limit stopped its threads for 0.50 s in all."],
    [{ overheated: 9 }, "Cores were slowed down because of heat 2 times."],
    [{ pageFaults: 8 }, "Memory was read back from the disk 3 times."],
    [{ pageFaults: 6 }, "Memory was read back from the disk once."],
  ];
  for (const [change, note] of cases) expect(disturbances(before, { ...quiet, ...change })).toEqual([note]);
  expect(disturbances({ ...before, governor: "powersave" }, quiet)[0]).toContain('governor is "powersave"');
});

it("falls back to the load average where the system does not tell who used the processor", () => {
  const blind = { busy: undefined, stolen: undefined, throttled: undefined, overheated: undefined };
  expect(disturbances({ ...before, ...blind }, { ...quiet, ...blind })).toEqual([]);
  expect(disturbances({ ...before, ...blind, load: 3.14 }, { ...quiet, ...blind })).toEqual([
    "The load average was 3.1 on 4 cores before it began.",
  ]);
});

it("reads processor time as Linux writes it", () => {
  expect(processorTime("cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1 1 1\n")).toEqual({ busy: 1.63, stolen: 0.08 });
  expect(processorTime(undefined)).toEqual({ busy: undefined, stolen: undefined });
});

it("sees this process work on this machine", async () => {
  const first = await machineState();
  for (const end = performance.now() + 120; performance.now() < end; );
  const second = await machineState();
  expect(second.own - first.own).toBeGreaterThan(0.02);
  expect(second.time).toBeGreaterThan(first.time);
  if (process.platform === "linux") expect(second.busy).toBeGreaterThanOrEqual(first.busy!);
});
