// Two commands on one run folder at once: one must be refused, and the folder must be as if the other one had been alone.

import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { printed, start } from "./process.mjs";
import { differences, outcome, randomOf, shuffled, writeTinyRecipe } from "./tinyRun.mjs";

const VERBS = ["train", "resume", "extend", "rollback"];
const PAIRS = VERBS.flatMap((one, i) => VERBS.slice(i).map((other) => [one, other]));
const MOST_TRIES = 5;
const IN_USE = /in use: another process \((\d+)\) is writing/;
/** What train says where a run is already, and the others where none is yet. */
const OTHERWISE = /already holds a run|is no run|no checkpoint to continue from/;

/**
 * Let pairs of commands meet `times` times, a round of all pairs after the other (fewer where `minutes` were over); see soak.
 * Returns how many met, counts by pair, and what was wrong.
 */
export async function meetings({
  times,
  seed,
  minutes = Number.POSITIVE_INFINITY,
  pairs = PAIRS,
  program,
  store,
  say = () => {},
}) {
  const random = randomOf(seed);
  const scratch = await mkdtemp(join(tmpdir(), "pairs-"));
  const until = performance.now() + minutes * 60_000;
  const counts = Object.fromEntries(
    pairs.map((pair) => [pair.join(" + "), { met: 0, named: 0, otherwise: 0, apart: 0 }]),
  );
  const faults = [];
  const addFault = (text) => say(`FAULT: ${faults[faults.push(text) - 1]}`);
  let done = 0;
  try {
    const setting = await prepare({ scratch, random, program, store });
    for (let round = 0; round < times; round++)
      for (const pair of shuffled(pairs, random)) {
        if (performance.now() > until) return { done, counts, faults };
        const name = pair.join(" + ");
        let result = { apart: true };
        for (let tries = 0; result.apart && tries < MOST_TRIES; tries++) {
          result = await meet(pair, setting, { random, dir: join(scratch, "run") });
          if (result.apart) counts[name].apart++;
        }
        if (result.apart) addFault(`${name}: never met`);
        else counts[name].met++;
        if (result.named) counts[name].named++;
        else if (!result.apart) counts[name].otherwise++;
        for (const text of result.wrong ?? []) addFault(`${name}, round ${round + 1}: ${text}\n${result.output}`);
        say(`${++done}: ${name}: ${result.said}`);
      }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { done, counts, faults };
}

/** A run that was stopped half-way, and what each command makes of a copy of it (train: of an empty folder) where it is alone. */
async function prepare({ scratch, random, program, store }) {
  const recipe = await writeTinyRecipe(scratch, random);
  const stopped = join(scratch, "stopped");
  const train = ["--recipe", recipe, "--set", "train.epochs=1", "--run"];
  const running = start([...program, ...train, stopped]);
  await printed(running, /step 2\/|Saved checkpoint 0000-00000002/);
  running.child.kill("SIGTERM");
  const { code, output } = await running.done;
  const oldest = (await store.listCheckpoints(join(stopped, "checkpoints")))[0];
  if (code !== 3 || !oldest) throw new Error(`the run that is to be stopped was not:\n${output}`);
  const words = {
    train: (dir) => [...train, dir],
    resume: (dir) => ["resume", dir],
    extend: (dir) => ["extend", dir, "--epochs", "2"],
    rollback: (dir) => ["rollback", dir, "--to", oldest.name],
  };
  const expected = {};
  for (const verb of VERBS) {
    const dir = join(scratch, verb);
    if (verb !== "train") await copy(stopped, dir);
    const alone = await start([...program, ...words[verb](dir)]).done;
    if (alone.code !== 0) throw new Error(`${verb} failed alone:\n${alone.output}`);
    expected[verb] = await contentOf(dir);
  }
  return { program, stopped, words, expected };
}

const copy = (from, to) => cp(from, to, { recursive: true, verbatimSymlinks: true });

/** Bytes of a run, and the names of its files but those that have a time in them. */
async function contentOf(dir) {
  const links = (await readdir(join(dir, "checkpoints"))).filter((name) => name === "last" || name === "best");
  const names = [...(await readdir(dir)), ...(await readdir(join(dir, "checkpoints")))].sort();
  return { ...(await outcome(dir, links)), names: names.join(" ") };
}

/** One meeting, in random order and within some milliseconds. */
async function meet(pair, { program, stopped, words, expected }, { random, dir }) {
  await rm(dir, { recursive: true, force: true });
  const others = pair.filter((verb) => verb !== "train");
  const isEmpty = others.length === 0 || (others.length === 1 && random() < 0.5);
  if (!isEmpty) await copy(stopped, dir);
  const two = [];
  for (const verb of shuffled(pair, random)) {
    two.push({ verb, ...start([...program, ...words[verb](dir)]) });
    await sleep(random() * 10);
  }
  const watching = holdRollback(two, dir);
  const ends = await Promise.all(two.map(({ done }) => done));
  clearInterval(watching);
  const all = two.map(({ verb, child }, i) => ({ verb, pid: child.pid, ...ends[i] }));
  const output = all
    .map((one) => `--- ${one.verb} (${one.pid}) ended with ${one.code ?? one.signal}:\n${one.output}`)
    .join("\n");
  if (all.every(({ code }) => code === 0)) return { apart: true };
  const winner = all.find(({ code }) => code === 0);
  const refused = all.find(({ code }) => code === 2);
  const where = isEmpty ? "an empty folder" : "a stopped run";
  if (!winner || !refused) return { wrong: [`on ${where}: not one done and one refused`], said: "WRONG", output };
  const wrong = [];
  const named = IN_USE.exec(refused.output)?.[1];
  const mayDiffer = isEmpty ? refused.verb !== "train" : refused.verb === "train";
  if (named === undefined && !(mayDiffer && OTHERWISE.test(refused.output)))
    wrong.push("refused without the other's number");
  if (named !== undefined && Number(named) !== winner.pid) wrong.push(`names ${named}, not ${winner.pid}`);
  const different = differences(expected[winner.verb], await contentOf(dir).catch(({ message }) => ({ message })));
  if (different.length > 0) wrong.push(`${winner.verb} differs from one that was alone in ${different.join(", ")}`);
  const how = named === undefined ? "refused for what was (not) there" : "refused with the other's number";
  return {
    wrong,
    named: named !== undefined,
    said: `${winner.verb} done, ${refused.verb} ${how}, on ${where}`,
    output,
  };
}

/** A rollback is over in milliseconds: where one has the lock, it stands still until the other command has ended. */
function holdRollback(two, dir) {
  let held = false;
  return setInterval(async () => {
    const text = await readFile(join(dir, "run.lock"), "utf8").catch(() => "");
    const pid = Number(/"pid":(\d+)/.exec(text)?.[1]);
    const holder = two.find(({ child, verb }) => child.pid === pid && verb === "rollback");
    if (!holder || held) return;
    held = true;
    holder.child.kill("SIGSTOP");
    await two.find((one) => one !== holder).done;
    holder.child.kill("SIGCONT");
  }, 2);
}
