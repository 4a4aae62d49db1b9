// Every way a person or a machine ends a program. `start` begins it in the surroundings that the way needs, `end` ends it.
// code: the exit code that is right; keeps: whether the last finished step must be in a checkpoint afterwards; goesOn: the program
// does its work to the end all the same; promptly: it ends after the step that is under way; needs: a program that not every machine has.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { limitFiles } from "./disk.mjs";
import { printed, start } from "./process.mjs";

const DONE = 0;
const FIXABLE = 2;
const STOPPED = 3;
/** More than the second in which a second signal is the same wish. */
const LATER_MS = 1200;

/** What a person or a machine expects of a program that it asks to end. */
const STOPS = { code: STOPPED, keeps: true, goesOn: false, promptly: true };
const GOES_ON = { code: DONE, keeps: true, goesOn: true };
/** A full disk ends a run with the checkpoint that took the room held in reserve. */
const FULL = { code: FIXABLE, keeps: true, goesOn: false };
/** Where no file may be as large as a checkpoint, the steps since the last one are lost, and it is said. */
const LIMITED = { ...FULL, keeps: false };

const quoted = (words) => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
/** The command, with its exit code left in a file. */
const leaving = ([node, ...words]) => [
  node,
  "--import",
  fileURLToPath(new URL("exitCode.mjs", import.meta.url)),
  ...words,
];

const signalled = (name) => ({
  start: ({ command }) => start(command),
  end: ({ child }) => child.kill(name),
  ...STOPS,
});

/** SIGINT and another signal. A step or a checkpoint of seconds lies between the two: the program stands still meanwhile. */
const later = (name) => ({
  ...signalled("SIGINT"),
  end: async ({ child }, random) => {
    child.kill("SIGINT");
    await sleep(random() * 60);
    child.kill("SIGSTOP");
    await sleep(LATER_MS);
    child.kill(name);
    child.kill("SIGCONT");
  },
});

/** Below GNU timeout, which sends its signal to the program and to the group that the program is in. */
const timedOut = (name) => ({
  start: ({ command, ms }) =>
    start(["timeout", "--preserve-status", "-s", name, String(Math.max(1, ms) / 1000), ...command]),
  end: undefined, // it ends by itself
  ...{ ...STOPS, needs: "timeout" },
});

/** In a pseudo-terminal, made by script(1). `shell`: what a terminal starts, with `$0` for the program. */
const inTerminal = (command, shell, exitFile) =>
  start(["script", "-qec", shell.replace("$0", () => quoted(command)), "/dev/null"], {
    env: { TERM: "xterm", SHELL: "/bin/sh" },
    exitFile,
    files: ["pipe", "pipe", "pipe", "pipe"], // the last one is open as long as a process in the terminal lives
  });

/** As a login shell does: what the terminal's end tells it, it passes on to the program that it has started. */
const PASSING_ON = [
  "trap 'kill -HUP \"$pid\"' HUP",
  "$0 </dev/tty & pid=$!",
  'wait "$pid"; code=$?',
  'while kill -0 "$pid" 2>/dev/null; do wait "$pid"; code=$?; done',
  'echo "$code" > "$SOAK_EXIT_FILE"',
].join("\n");

const throughNpx = (signal) => ({
  start: async ({ program, words, scratch }) => {
    const bin = join(scratch, "project", "node_modules", ".bin");
    await mkdir(bin, { recursive: true });
    await writeFile(join(scratch, "project", "package.json"), '{ "name": "soak", "private": true }');
    await writeFile(join(bin, "rfdetr-train"), `#!/bin/sh\nexec ${quoted(leaving(program))} "$@"\n`);
    await chmod(join(bin, "rfdetr-train"), 0o755);
    const [cwd, exitFile] = [join(scratch, "project"), join(scratch, "exit")];
    await rm(`${exitFile}.pid`, { force: true });
    const running = start(["npx", "--no-install", "rfdetr-train", ...words], { cwd, exitFile });
    return Object.assign(running, { pidFile: `${exitFile}.pid` });
  },
  // an npx that goes before it has started the program leaves nothing that the program could notice
  ready: async ({ pidFile }) => {
    for (let i = 0; i < 3000 && !existsSync(pidFile); i++) await sleep(20);
    await sleep(LATER_MS / 4);
  },
  end: async ({ child, pidFile }) => {
    child.kill(signal);
    // npx takes its time to go, and a lost parent is noticed within a second: meanwhile the program stands still, or it would be done before
    const pid = await readFile(pidFile, "utf8").catch(() => undefined);
    if (pid) spawnSync("kill", ["-STOP", pid]);
    for (let i = 0; i < 500 && child.exitCode === null && child.signalCode === null; i++) await sleep(20);
    await sleep(LATER_MS);
    if (pid) spawnSync("kill", ["-CONT", pid]);
  },
  ...{ ...STOPS, needs: "npx" },
});

/** All ways by name. A second argument of `end` is a stream of random numbers. */
export const WAYS = {
  sigint: signalled("SIGINT"),
  sigterm: signalled("SIGTERM"),
  sighup: signalled("SIGHUP"),
  "sigint-twice": {
    ...signalled("SIGINT"), // within one step, or two
    end: async ({ child }, random) => {
      const first = performance.now();
      child.kill("SIGINT");
      await sleep(random() < 0.5 ? 0 : random() * 300);
      if (performance.now() - first < 900) child.kill("SIGINT"); // on a busy machine it would be another wish
    },
  },
  "sigint-later": later("SIGINT"), // the second one gives up what is under way
  "sighup-later": later("SIGHUP"), // a terminal that is closed after Ctrl-C is no second Ctrl-C
  "timeout-int": timedOut("INT"),
  "timeout-term": timedOut("TERM"),
  nohup: {
    start: ({ command, scratch }) => {
      const outputFile = join(scratch, "nohup.log");
      const shell = `nohup ${quoted(command)} > ${quoted([outputFile])} 2>&1 & pid=$!; echo "pid $pid"; wait "$pid"`;
      return start(["sh", "-c", shell], { outputFile });
    },
    end: async (program) => {
      await printed(program, /^pid \d+/);
      spawnSync("kill", ["-HUP", /^pid (\d+)/.exec(program.output)[1]]); // it may have ended just now
    },
    ...GOES_ON,
  },
  "terminal-ctrl-c": {
    start: ({ command }) => inTerminal(command, "exec $0"),
    end: ({ child }) => child.stdin.write("\u0003"),
    ...{ ...STOPS, needs: "script" },
  },
  "terminal-closed": {
    start: ({ command, scratch }) => inTerminal(command, PASSING_ON, join(scratch, "exit")),
    end: ({ child }) => child.kill("SIGKILL"),
    ...{ ...STOPS, needs: "script" },
  },
  "session-closed": {
    // the program itself leads the terminal's session
    start: ({ command, scratch }) => inTerminal(leaving(command), "exec $0", join(scratch, "exit")),
    end: ({ child }) => child.kill("SIGKILL"),
    ...{ ...STOPS, needs: "script" },
  },
  "npx-killed": throughNpx("SIGKILL"),
  "npx-terminated": throughNpx("SIGTERM"),
  "pipe-closed": {
    start: ({ command }) => start(command),
    end: ({ child }) => {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    ...GOES_ON,
  },
  "file-limit": {
    start: ({ command }) => start(command),
    end: ({ child }, random) => limitFiles(child.pid, Math.floor(random() * 60_000)),
    ...{ ...LIMITED, needs: "prlimit" },
  },
  "disk-full": {
    start: ({ command }) => start(command),
    end: (_, random, { disk }) => disk.fill(random() < 0.5 ? 0 : Math.floor(random() * 400_000)),
    ...{ ...FULL, needs: "mount" },
  },
  sigkill: { ...signalled("SIGKILL"), code: null, keeps: false },
};
