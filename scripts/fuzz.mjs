// Changes valid files of every kind and has the program's own readers read them: each case must be read or refused with one
// message, in time and memory. Cases that fail are kept in a folder each.
// Usage: npm run fuzz [-- --seed N --cases N --minutes M --from N --keep DIR --jobs N --commands EVERY --only KIND,KIND]

import { fork, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { megabytesOf } from "./fuzz/memory.mjs";
import { makeSeeds } from "./fuzz/seeds.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const MOST_MS = 10_000;
const MOST_MEGABYTES = 1536;
/** A process is not kept for longer than this: its peak of memory must say something of few cases. */
const CASES_OF_A_PROCESS = 300;

const number = (value) => ({ type: "string", default: String(value) });
const { values } = parseArgs({
  options: {
    ...{ seed: number(1), cases: number(20_000), minutes: number(60), from: number(0), jobs: number(2) },
    only: { type: "string", default: "" },
    ...{ commands: number(400), keep: { type: "string", default: join(tmpdir(), "rfdetr-train-fuzz") } },
  },
});
const [seed, cases, minutes, from, jobs, every] = ["seed", "cases", "minutes", "from", "jobs", "commands"].map((name) =>
  Number(values[name]),
);
const home = mkdtempSync(join(tmpdir(), "fuzz-"));
const counts = { read: 0, refused: 0, failed: 0, unmade: 0, commands: 0, slowest: 0, megabytes: 0 };
const kinds = {};
let next = from;
const until = Date.now() + minutes * 60_000;

/** Keep a case that failed, with what there is to know of it. */
function keep(one, why) {
  counts.failed++;
  const folder = join(values.keep, `${seed}-${one.number}-${one.kind}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    cpSync(join(home, `case-${one.pid}`), join(folder, "files"), { recursive: true, verbatimSymlinks: true });
  } catch {} // pipes cannot be copied: seed and number make the case again
  writeFileSync(
    join(folder, "about.txt"),
    `--seed ${seed} --from ${one.number} --cases 1${values.only && ` --only ${values.only}`}\n${one.how?.join(", ")}\n${why}\n`,
  );
  console.log(
    `FAILED ${one.number} ${one.kind} (${one.how?.join(", ")}): ${why.split("\n").slice(0, 4).join("\n    ")}`,
  );
}

/** The command line itself on the files of a case. */
function runCommand(one) {
  counts.commands++;
  const words = ["--import", "tsx", join(root, "src/cli/main.ts"), ...one.command];
  const { status, signal, stderr } = spawnSync(process.execPath, words, {
    cwd: root,
    encoding: "utf8",
    timeout: 90_000,
  });
  const hasStack = /^\s+at .*:\d+:\d+\)?$/m.test(stderr);
  if ((status !== 0 && status !== 2) || hasStack)
    keep(one, `${one.command.join(" ")}: exit ${status ?? signal}\n${stderr}`);
}

/** One process after another that reads cases until there are none left. */
function work() {
  return new Promise((done) => {
    const child = fork(join(root, "scripts/fuzz/child.mjs"), [home, String(seed), values.only], {
      execArgv: ["--import", "tsx", "--max-old-space-size=1400"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let one = null;
    let [timer, stderr, read, megabytes] = [undefined, "", 0, 0];
    const watch = setInterval(() => {
      megabytes = Math.max(megabytes, megabytesOf(child.pid)); // with what it has started
    }, 30);
    child.stderr.on("data", (chunk) => {
      stderr = `${stderr}${chunk}`.slice(-4000);
    });
    const give = () => {
      one = null;
      if (next >= from + cases || Date.now() > until || read >= CASES_OF_A_PROCESS) return child.disconnect();
      read++;
      child.send(next++);
    };
    const ended = (end) => {
      clearTimeout(timer);
      const how = end.fault ? "failed" : end.refused ? "refused" : "read";
      kinds[one.kind] ??= { read: 0, refused: 0, failed: 0 };
      kinds[one.kind][how]++;
      if (!end.fault) counts[how]++;
      counts.slowest = Math.max(counts.slowest, Math.round(end.ms));
      megabytes = Math.max(megabytes, end.megabytes);
      counts.megabytes = Math.max(counts.megabytes, Math.round(megabytes));
      if (end.fault) keep(one, end.fault);
      else if (megabytes > MOST_MEGABYTES) {
        keep(one, `${Math.round(megabytes)} MB`);
        one = null;
        child.kill("SIGKILL"); // its peak would count for every case that follows
        return;
      } else if (one.number % every === 0 && one.command.length > 0) runCommand(one);
      give();
    };
    child.on("message", (message) => {
      if (message.type === "ready") give();
      else if (message.type === "begin") {
        one = { ...message, pid: child.pid };
        megabytes = 0;
        timer = setTimeout(() => child.kill("SIGKILL"), MOST_MS);
      } else if (message.type === "end") ended(message);
      else if (message.type === "unmade") {
        counts.unmade++;
        keep({ number: message.number, kind: "unmade", pid: child.pid }, message.fault);
        give();
      } else stderr += message.fault;
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      clearInterval(watch);
      if (one && code !== 0) keep(one, `ended with ${signal ?? code} (SIGKILL: after ${MOST_MS / 1000} s)\n${stderr}`);
      rmSync(join(home, `case-${child.pid}`), { recursive: true, force: true });
      done();
    });
  });
}

await makeSeeds(home, root);
const report = setInterval(() => console.log(`${next - from} cases`, JSON.stringify(counts)), 60_000);
await Promise.all(
  Array.from({ length: jobs }, async () => {
    while (next < from + cases && Date.now() < until) await work();
  }),
);
clearInterval(report);
rmSync(home, { recursive: true, force: true });
console.log(`Seed ${seed}, cases ${from} to ${next - 1}:`, JSON.stringify({ ...counts, kinds }));
if (counts.failed > 0) console.log(`Those that failed are in ${values.keep}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
