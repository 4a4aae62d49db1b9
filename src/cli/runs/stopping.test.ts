import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { expectSameRun, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { listCheckpoints, verifyCheckpoint } from "../../checkpoint/store/store.ts";
import { formatRecipe } from "../../recipe/load.ts";

const MAIN = ["--import", "tsx", "src/cli/main.ts"];

let dir: string;
let recipe: string;
let long: string;
let whole: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "stopping-"));
  await tinyDataset(join(dir, "data"));
  recipe = join(dir, "tiny.yaml");
  long = join(dir, "long.yaml");
  await writeFile(recipe, formatRecipe(tinyRecipe(join(dir, "data"))));
  await writeFile(long, formatRecipe(tinyRecipe(join(dir, "data"), { train: { epochs: 500 } })));
  whole = join(dir, "whole");
  expect((await run(["--recipe", recipe, "--run", whole]).done).code).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Ended = { code: number | null; output: string };

/** Start the command line; `onOutput` sees what it has printed so far. */
function run(
  words: string[],
  onOutput: (output: string, child: ChildProcess) => void = () => {},
  shell?: string,
  onStart: (child: ChildProcess) => void = () => {},
): { done: Promise<Ended> } {
  const start: [string, string[]] = shell
    ? ["bash", ["-c", shell, process.execPath, ...MAIN, ...words]]
    : [process.execPath, [...MAIN, ...words]];
  const child = spawn(...start, { stdio: ["ignore", "pipe", "pipe"] });
  onStart(child);
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk) => {
      output += chunk;
      onOutput(output, child);
    });
  return { done: new Promise((done) => child.on("close", (code) => done({ code, output }))) };
}

/** Does something once, when a step has been done. */
function afterFirstStep(act: (child: ChildProcess) => void) {
  let acted = false;
  return (output: string, child: ChildProcess) => {
    if (acted || !/step \d+\/\d+/.test(output)) return;
    acted = true;
    act(child);
  };
}

test("a signal ends a run with a checkpoint and exit code 3, and resume finishes it in the same bytes", async () => {
  const folder = join(dir, "once");
  const stopped = await run(
    ["--recipe", recipe, "--run", folder],
    afterFirstStep((child) => child.kill("SIGTERM")),
  ).done;
  expect(stopped.output).toContain("SIGTERM: stopping after this step");
  expect(stopped).toMatchObject({ code: 3, output: expect.stringContaining("rfdetr-train resume") });
  const resumed = await run(["resume", folder]).done;
  expect(resumed).toMatchObject({ code: 0, output: expect.stringContaining("Restored from checkpoint") });
  await expectSameRun(whole, folder);
});

test.each(["SIGUSR1", "SIGUSR2", "SIGXCPU"] as const)("%s, by which schedulers warn, and warn again, ends a run with a checkpoint", async (name) => {
  const warn = afterFirstStep((child) => [0, 10, 1200, 2400].forEach((ms) => void setTimeout(() => child.kill(name), ms))); // biome-ignore format: one line
  const { code, output } = await run(["--recipe", long, "--run", join(dir, name)], warn).done;
  expect(output).toContain(`${name}: stopping after this step`);
  expect({ code, output }).toMatchObject({ code: 3, output: expect.stringContaining("rfdetr-train resume") });
}); // biome-ignore format: one line

test.skipIf(process.platform !== "linux")("a full disk under the output of a run does not end it", async () => {
  const [folder, shell] = [join(dir, "full-output"), 'exec "$0" "$@" > /dev/full 2>&1'];
  expect((await run(["--recipe", recipe, "--run", folder], () => {}, shell).done).code).toBe(0);
  await expectSameRun(whole, folder);
});

test("two signals within one step, as GNU timeout sends them, are one wish: the run ends with a checkpoint", async () => {
  const folder = join(dir, "pair");
  const { code, output } = await run(
    ["--recipe", long, "--run", folder],
    afterFirstStep((child) => {
      child.kill("SIGINT");
      child.kill("SIGTERM");
    }),
  ).done;
  expect(code).toBe(3);
  expect(output).toContain("Stopped after step");
  expect((await listCheckpoints(join(folder, "checkpoints"))).at(-1)!.step).toBeGreaterThan(0);
});

test("a second signal, more than a second after the first was answered, gives the step up and saves the last finished one", async () => {
  const folder = join(dir, "twice");
  const slow = join(dir, "slow.yaml");
  const train = { epochs: 1, grad_accum_steps: 21, compile: "off" as const };
  const checkpoint = { every_epochs: null };
  await writeFile(slow, formatRecipe(tinyRecipe(join(dir, "data"), { train, checkpoint })));
  let acted = 0;
  const later = (child: ChildProcess) => {
    setTimeout(() => child.kill("SIGSTOP"), 50); // the step does not go on meanwhile
    setTimeout(() => {
      child.kill("SIGTERM");
      child.kill("SIGCONT");
    }, 1400);
  };
  const { code, output } = await run(["--recipe", slow, "--run", folder], (text, child) => {
    if (acted === 0 && /step 1\//.test(text) && acted++ === 0) setTimeout(() => child.kill("SIGINT"), 50);
    if (acted === 1 && text.includes("SIGINT: stopping after this step") && acted++ === 1) later(child);
  }).done;
  expect(code).toBe(3);
  expect(output).toContain("Stopping now: what is under way is given up, and the last finished step is saved");
  expect(output).toContain("Stopped after step 1. Continue with");
  const { name, step } = (await listCheckpoints(join(folder, "checkpoints"))).at(-1)!;
  expect(step).toBe(1);
  await verifyCheckpoint(join(folder, "checkpoints", name));
});

test("before a run has begun there is nothing to save: a second signal ends the program at once", async () => {
  const program = obeying(`const { showProgress } = await import("./src/cli/runs/train.ts");
    const { setTimeout: sleep } = await import("node:timers/promises");
    await showProgress({ json: false }, async function* () {
      process.kill(process.pid, "SIGINT");
      await sleep(1200);
      process.kill(process.pid, "SIGINT");
      await sleep(20_000);
    });
    console.log("not ended");`);
  const { code, output } = await run([], undefined, `exec ${program}`).done;
  expect(code).toBe(3);
  expect(output).toContain("Stopping now");
  expect(output).not.toContain("not ended");
});

test("work that may be given up is, at the second signal; the third one ends the program", async () => {
  const program = obeying(`const { giveUpSignal } = await import("./src/cli/signals.ts");
    const { setTimeout: sleep } = await import("node:timers/promises");
    const stop = stopSignal("stopping", console.log);
    const giveUp = giveUpSignal("given up");
    for (let i = 0; i < 3; i++) {
      process.kill(process.pid, "SIGINT");
      process.kill(process.pid, "SIGTERM");
      await sleep(1200);
      console.log(stop.aborted, giveUp.aborted);
    }`);
  const { code, output } = await run([], undefined, `exec ${program}`).done;
  expect(code).toBe(3);
  expect(output).toMatch(
    /^SIG\w+: stopping\. .*gives up what is under way\.\ntrue false\nStopping now: given up\. .*without saving\.\ntrue true\n$/,
  );
});

test("SIGHUP stops a run with a checkpoint; where all output goes to files, it saves one and the run goes on", async () => {
  const attended = join(dir, "attended");
  const stopped = await run(
    ["--recipe", long, "--run", attended],
    afterFirstStep((child) => child.kill("SIGHUP")),
  ).done;
  expect(stopped).toMatchObject({ code: 3, output: expect.stringContaining("Stopped after step") });

  const folder = join(dir, "unattended");
  const shell = `exec "$0" "$@" > '${folder}.log' 2>&1`;
  const steps = async () => (await listCheckpoints(join(folder, "checkpoints"))).map(({ step }) => step);
  let child: ChildProcess | undefined;
  const { done } = run(["--recipe", long, "--run", folder, "--set", "checkpoint.every_epochs=500"], () => {}, shell, (started) => { child = started; }); // biome-ignore format: one line
  const log = () => readFile(`${folder}.log`, "utf8").catch(() => "");
  await vi.waitFor(async () => expect(await log()).toMatch(/step \d+\//), { timeout: 60_000, interval: 100 });
  child!.kill("SIGHUP");
  await vi.waitFor(async () => expect((await steps()).at(-1)).toBeGreaterThan(0), { timeout: 60_000, interval: 100 });
  expect(child!.exitCode).toBeNull();
  expect(await log()).toContain("SIGHUP: no terminal is attached, so the run goes on");
  child!.kill("SIGTERM");
  expect((await done).code).toBe(3);
}, 180_000);

/** The command line of a program that does nothing but obey signals. */
function obeying(script: string): string {
  const whole = `const { installSignals, stopSignal } = await import("./src/cli/signals.ts"); installSignals(); ${script}`;
  return `"$0" --import tsx --input-type=module -e '${whole}'`;
}

test("a hang-up ends no command whose output goes to files, also one that is still being loaded", async () => {
  const log = join(dir, "hang-up.log");
  const program = obeying(`process.kill(process.pid, "SIGHUP"); setTimeout(() => console.log("went on"), 200);`);
  expect((await run([], undefined, `exec ${program} > '${log}' 2>&1`).done).code).toBe(0);
  expect(await readFile(log, "utf8")).toBe("went on\n");
  expect((await run([], undefined, `exec ${program}`).done).code).toBe(3);
});

test("a terminal or a parent that goes while a run stops is no second Ctrl-C, which alone ends it at once", async () => {
  const program = obeying(`const { setTimeout: sleep } = await import("node:timers/promises");
    stopSignal("stopping", console.log);
    process.kill(process.pid, "SIGINT");
    await sleep(1200);
    console.log("saving");
    await sleep(1500);
    process.kill(process.pid, "SIGHUP");
    await sleep(100);
    console.log("still saving");
    process.kill(process.pid, "SIGTERM");
    await sleep(5000);
    console.log("not ended");`);
  const endParent = (output: string, parent: ChildProcess) => output.includes("saving") && parent.kill("SIGKILL");
  const { output } = await run([], endParent, `npm_execpath=npm ${program} & wait`).done;
  expect(output).toMatch(/^SIGINT: stopping.*\nsaving\nstill saving\n$/);
});

test("two signals within a second are one wish, also where a step keeps the program from hearing the second one", async () => {
  const program = obeying(`const { answerAtOnce } = await import("./src/cli/signals.ts");
    stopSignal("stopping", console.log);
    await answerAtOnce();
    process.kill(process.pid, "SIGINT");
    await new Promise((done) => setTimeout(done, 50));
    process.kill(process.pid, "SIGINT");
    for (const until = performance.now() + 1200; performance.now() < until; );
    await new Promise((done) => setTimeout(done, 100));
    console.log("still saving");
    process.exit(0);`);
  expect((await run([], undefined, `exec ${program}`).done).output).toContain("still saving");
});

test.each(["its parent", "its parent's parent, as below npx"])(
  "a run whose npm, %s, is gone stops with a checkpoint",
  async (who) => {
    const folder = join(dir, who === "its parent" ? "orphan" : "orphan-npx");
    let shell = `npm_execpath=npm "$0" "$@" & wait`;
    if (who !== "its parent") {
      const bin = join(dir, "project", "node_modules", ".bin");
      await mkdir(bin, { recursive: true });
      await writeFile(join(dir, "project", "package.json"), "{}");
      const program = `#!/bin/sh\ncd '${process.cwd()}' && exec '${process.execPath}' "$@"\n`;
      await writeFile(join(bin, "rfdetr-train"), program, { mode: 0o755 });
      shell = `cd '${join(dir, "project")}' && exec npx --no-install rfdetr-train "$@"`;
    }
    const endParent = (output: string, parent: ChildProcess) =>
      /step \d+\/\d+/.test(output) && !parent.killed && parent.kill("SIGKILL");
    const { output } = await run(["--recipe", long, "--run", folder], endParent, shell).done;
    expect(output).toMatch(/The program that started this one is gone: stopping[\s\S]*Stopped after step/);
  },
  120_000,
);

test("a finished run says that it is, with exit code 0", async () => {
  const { code, output } = await run(["resume", whole]).done;
  expect(code).toBe(0);
  expect(output).toContain("This run is finished: all 2 epochs are done. To train it longer: rfdetr-train extend");
});

test("extend and rollback want to know how far, with exit code 2", async () => {
  const cases: [string[], string][] = [
    [["extend", whole], "--epochs N is missing"],
    [["extend", whole, "--epochs", "2"], "has 2 epochs behind it"],
    [["extend", whole, "--epochs", "1.5"], "--epochs is 1.5"],
    [["extend", join(dir, "nowhere"), "--epochs", "3"], "is no run"],
    [["rollback", whole], "to"],
    [["rollback", whole, "--to", "0007-00000001"], "Kept are:"],
  ];
  for (const [words, message] of cases) {
    const { code, output } = await run(words).done;
    expect({ words, code }).toEqual({ words, code: 2 });
    expect(output).toContain(message);
  }
});

test.skipIf(process.platform === "win32")(
  "a disk that fills while a run saves ends it with a clear error; what was saved is intact and resumes",
  async () => {
    const folder = join(dir, "full");
    const { code } = await run(
      ["--recipe", recipe, "--run", folder],
      afterFirstStep((child) => child.kill("SIGINT")),
    ).done;
    expect(code).toBe(3);
    const checkpoints = join(folder, "checkpoints");
    const before = await listCheckpoints(checkpoints);
    // a limit on the size of files stands in for the full disk; what node itself writes is smaller
    const full = await run(["resume", folder], undefined, 'ulimit -f 96; exec "$0" "$@"').done;
    expect(full.code).toBe(2);
    expect(full.output).toMatch(/Cannot write .*checkpoints.*limit/);
    expect(full.output).toContain(`go on from step ${before.at(-1)!.step} (steps after it could not be saved`);
    expect(await listCheckpoints(checkpoints)).toEqual(before);
    for (const { name } of before) await verifyCheckpoint(join(checkpoints, name));
    expect((await run(["resume", folder]).done).code).toBe(0);
    await expectSameRun(whole, folder);
  },
);
