// Who trains together, from options, TF_CONFIG and Slurm's variables.

import { describe, expect, test } from "vitest";
import { clusterOf } from "./cluster.ts";

const none = {};

describe("options", () => {
  test("name all workers and which one this is", () => {
    expect(clusterOf({ workers: "a:1, b-2.net:65535,[fd00::7]:2222", rank: 2 }, none)).toEqual({
      workers: ["a:1", "b-2.net:65535", "[fd00::7]:2222"],
      rank: 2,
    });
    expect(clusterOf({}, none)).toBeUndefined();
    expect(clusterOf({ workers: "a:1", rank: 0 }, none)).toBeUndefined();
  });

  test.each([
    [{ rank: 1 }, /--workers is missing/],
    [{ workers: "a:1,b:2" }, /--rank must say which one/],
    [{ workers: "a:1,b:2", rank: 2 }, /--rank is 2; with 2 workers it is 0 to 1/],
    [{ workers: "a:1,b:2", rank: 0.5 }, /--rank is 0.5/],
    [{ workers: "a:1,a:1", rank: 0 }, /names a:1 twice/],
    [{ workers: "a:1,b", rank: 0 }, /"b", which is no host and port/],
    [{ workers: "a:1,b:70000", rank: 0 }, /"b:70000"/],
    [{ workers: "a:1,$(id):2", rank: 0 }, /no host and port/],
    [{ workers: "slurm", rank: 0 }, /Slurm says it/],
  ])("%j is refused", (options, message) => {
    expect(() => clusterOf(options, none)).toThrow(message);
  });
});

describe("TF_CONFIG", () => {
  const of = (config: unknown) => clusterOf({}, { TF_CONFIG: JSON.stringify(config) });
  const worker = ["w0:2222", "w1:2222"];

  test("a chief comes before the workers", () => {
    expect(of({ cluster: { worker }, task: { type: "worker", index: 1 } })).toEqual({ workers: worker, rank: 1 });
    const cluster = { chief: ["c:2222"], worker };
    expect(of({ cluster, task: { type: "chief", index: 0 } })).toEqual({ workers: ["c:2222", ...worker], rank: 0 });
    expect(of({ cluster, task: { type: "worker", index: 1 } })?.rank).toBe(2);
  });

  test("one worker, or none, trains alone; options count more", () => {
    expect(of({ cluster: { worker: ["w0:2222"] }, task: { type: "worker", index: 0 } })).toBeUndefined();
    expect(of({})).toBeUndefined();
    expect(clusterOf({}, { TF_CONFIG: "" })).toBeUndefined();
    const TF_CONFIG = JSON.stringify({ cluster: { worker }, task: { type: "worker", index: 1 } });
    expect(clusterOf({ workers: "a:1,b:2", rank: 0 }, { TF_CONFIG })?.workers).toEqual(["a:1", "b:2"]);
  });

  test.each([
    [{ cluster: { worker }, task: { type: "evaluator", index: 0 } }, /task.type is "evaluator"/],
    [{ cluster: { worker }, task: { type: "worker", index: 2 } }, /comes to is 2/],
    [{ cluster: { worker }, task: { type: "worker" } }, /NaN/],
    [{ cluster: { worker: "w0" } }, /is no list/],
    [{ cluster: { worker: ["w0", 7] } }, /"w0", which is no host/],
  ])("%j is refused", (config, message) => {
    expect(() => of(config)).toThrow(message);
  });

  test("what is no JSON is refused", () => {
    expect(() => clusterOf({}, { TF_CONFIG: "{" })).toThrow(/TF_CONFIG is no JSON/);
  });
});

describe("Slurm", () => {
  const env = {
    SLURM_JOB_ID: "12345",
    SLURM_STEP_ID: "0",
    SLURM_STEP_NODELIST: "gpu[08-10,12],login1",
    SLURM_STEP_TASKS_PER_NODE: "2(x3),1,2",
    SLURM_PROCID: "7",
  };

  test("hosts and tasks are counted in the order of their ranks", () => {
    const { workers, rank } = clusterOf({ workers: "slurm" }, env)!;
    expect(rank).toBe(7);
    expect(workers.map((one) => one.split(":")[0])).toEqual(
      ["gpu08", "gpu08", "gpu09", "gpu09", "gpu10", "gpu10", "gpu12", "login1", "login1"], // biome-ignore format: one line
    );
    expect(new Set(workers).size).toBe(9);
    const other = clusterOf({ workers: "slurm" }, { ...env, SLURM_JOB_ID: "12346" })!;
    expect(other.workers.some((one) => workers.includes(one))).toBe(false);
  });

  test("its variables alone start nothing, and what lacks or is strange is named", () => {
    expect(clusterOf({}, env)).toBeUndefined();
    for (const name of Object.keys(env).filter((one) => one !== "SLURM_STEP_ID"))
      expect(() => clusterOf({ workers: "slurm" }, { ...env, [name]: undefined })).toThrow(`${name} is not set`);
    const strange = (change: object) => () => clusterOf({ workers: "slurm" }, { ...env, ...change });
    expect(strange({ SLURM_STEP_NODELIST: "a;b" })).toThrow(/no list of hosts/);
    expect(strange({ SLURM_STEP_NODELIST: "a[1-x]" })).toThrow(/range "1-x"/);
    for (const hosts of ["a[0-999999999]", "a[0-999][0-999][0-999]"])
      expect(strange({ SLURM_STEP_NODELIST: hosts })).toThrow(/names more than 1024 hosts/);
    for (const name of ["SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID"])
      expect(strange({ [name]: "1e3" })).toThrow(`${name} is "1e3", which is no whole number`);
    expect(strange({ SLURM_STEP_TASKS_PER_NODE: "2(x1000000000)" })).toThrow(/hosts, and/);
    expect(strange({ SLURM_STEP_TASKS_PER_NODE: "many" })).toThrow(/no list of counts/);
    expect(strange({ SLURM_PROCID: "9" })).toThrow(/SLURM_PROCID is 9/);
    expect(strange({ SLURMD_NODENAME: "gpu08" })).toThrow(/task 7 on gpu08, and by its lists it belongs on login1/);
    expect(clusterOf({ workers: "slurm" }, { ...env, SLURMD_NODENAME: "login1" })?.rank).toBe(7);
  });
});
