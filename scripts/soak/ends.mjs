// Ends runs of a tiny detector at random instants, in every way there is, and resumes each until it is done.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { smallDisk } from "./disk.mjs";
import { printed, start } from "./process.mjs";
import { differences, lastStep, outcome, randomOf, shuffled, writeTinyRecipe } from "./tinyRun.mjs";
import { WAYS } from "./ways.mjs";

/** What shows that training begins; most instants are drawn from the time after it. */
const BEGINS = /^.*Run: /m;
const SHARE_IN_TRAINING = 0.75;
/** The one that is under way, and the one whose row was being written. */
const MOST_STEPS_MORE = 2;
/** Runs, as a multiple of those wanted: some are done before the instant that was drawn. */
const MOST_TRIES = 3;

/**
 * Do `runs` runs, each ended up to `mostEnds` times in the ways named; with `once`, until each way has ended one. `program` starts
 * the command line, `store` is the module src/checkpoint/store/store of the same version. Returns how many runs were ended and done
 * (fewer where `minutes` were over), the ends by way, and what was wrong.
 */
export async function soak({
  runs,
  seed,
  minutes = Number.POSITIVE_INFINITY,
  mostEnds = 4,
  ways,
  once = false,
  masks = false,
  program,
  store,
  say = () => {},
}) {
  const random = randomOf(seed);
  const scratch = await mkdtemp(join(tmpdir(), "soak-"));
  const until = performance.now() + minutes * 60_000;
  const disk = ways.some((way) => WAYS[way].needs === "mount") ? await smallDisk(join(scratch, "disk")) : undefined;
  const lacks = ({ needs }) => needs && (needs === "mount" ? !disk : !isInstalled(needs));
  for (const way of ways) if (lacks(WAYS[way])) say(`${way} is left out: it needs ${WAYS[way].needs}`);
  const possible = ways.filter((way) => !lacks(WAYS[way]));
  const counts = Object.fromEntries(possible.map((way) => [way, { ends: 0, inTraining: 0, lost: 0 }]));
  const faults = [];
  const addFault = (text) => say(`FAULT: ${faults[faults.push(text) - 1]}`);
  let [done, tried] = [0, 0];
  try {
    const recipe = await writeTinyRecipe(scratch, random, { masks });
    const left = await leaveAlone({ scratch, recipe, program });
    say(
      `a run that is left alone takes ${(left.time / 1000).toFixed(1)} s, training in it ${(left.training / 1000).toFixed(1)} s`,
    );
    const bag = shuffled(possible, random);
    for (; done < runs && tried < runs * MOST_TRIES && performance.now() < until; tried++) {
      if (bag.length === 0) {
        if (once) break;
        bag.push(...shuffled(possible, random));
      }
      const plan = bag.splice(0, 1 + Math.floor(random() * mostEnds)).sort((a, b) => WAYS[a].goesOn - WAYS[b].goesOn);
      const place = plan.some((way) => WAYS[way].needs === "mount") ? disk.path : scratch;
      const run = { name: `run ${tried + 1}`, dir: join(place, `run-${tried + 1}`), plan, counts, addFault };
      const ended = await endAndResume(run, { ...{ random, scratch, disk, recipe, left, program, store } });
      const actual = await outcome(run.dir).catch((error) => ({ error: error.message }));
      const different = differences(left.expected, actual);
      if (different.length > 0) addFault(`${run.name}: differs in ${different.join(", ")}; ${ended.join(", ")}`);
      say(
        `${run.name}: ${ended.join(", ") || `done before ${plan.join(", ")}`}: ${different.length === 0 ? "same bytes" : "DIFFERENT"}`,
      );
      bag.push(...plan.slice(ended.length)); // it was done before these could end it
      if (ended.length > 0) done++;
      await rm(run.dir, { recursive: true, force: true });
    }
  } finally {
    disk?.remove();
    await rm(scratch, { recursive: true, force: true });
  }
  return { done, counts, faults };
}

function isInstalled(tool) {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
}

/** A run without an end from outside, twice: the first one finds nothing in the disk cache. Times in ms. */
async function leaveAlone({ scratch, recipe, program }) {
  let [time, training, expected] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, {}];
  for (const name of ["whole", "again"]) {
    const began = performance.now();
    const running = start([...program, "--recipe", recipe, "--run", join(scratch, name)]);
    await printed(running, BEGINS);
    const shown = performance.now();
    const { code, output } = await running.done;
    if (code !== 0) throw new Error(`the run that is left alone failed:\n${output}`);
    time = Math.min(time, performance.now() - began);
    training = Math.min(training, performance.now() - shown);
    expected = await outcome(join(scratch, name));
  }
  return { time, training, steps: await lastStep(join(scratch, "whole")), expected };
}

/** Let a run begin, end it in each of the planned ways, one after the other, and let it finish. Returns the ends, as words. */
async function endAndResume(
  { name, dir, plan, counts, addFault },
  { random, scratch, disk, recipe, left, program, store },
) {
  const checkpoints = join(dir, "checkpoints");
  const list = () => store.listCheckpoints(checkpoints);
  const ended = [];
  for (const planned of [...plan, undefined]) {
    const from = (await list()).at(-1)?.step ?? 0;
    const begun = existsSync(join(dir, "recipe.yaml")) && (await list()).length > 0;
    const words = begun ? ["resume", dir] : ["--recipe", recipe, "--run", dir];
    const task = { program, words, command: [...program, ...words], scratch };
    const result = await endOnce(WAYS[planned], task, { random, left, disk, dir, from });
    const at = `${planned ?? "left alone"} ${result.at}`;
    const fault = (text) => addFault(`${name}: ${text}; ${[...ended, at].join(", ")}:\n${result.output}`);
    await disk?.empty();
    for (const one of await list())
      await store
        .verifyCheckpoint(join(checkpoints, one.name))
        .catch((error) => fault(`listed, but not whole: ${error.message}`));
    const unsaved = Number(/the last one was (\d+)/.exec(result.output)?.[1] ?? 0); // on a full disk there is no row of it either
    const lost = Math.max(await lastStep(dir), unsaved) - ((await list()).at(-1)?.step ?? 0);
    if (lost > 0 && (planned === undefined || WAYS[planned].keeps))
      fault(`${lost} finished steps are in no checkpoint`);
    const more = (await lastStep(dir)) - (result.asked ?? Number.POSITIVE_INFINITY);
    if (more > MOST_STEPS_MORE && WAYS[planned].promptly) fault(`${more} steps were done after it was asked to end`);
    for (const wrong of wrongEnd(WAYS[planned], result, (await list()).at(-1))) fault(wrong);
    if (result.code === 0 && !WAYS[planned]?.goesOn) break; // it was done before it was ended
    if (planned === undefined) break;
    ended.push(at);
    const count = counts[planned];
    count.ends++;
    if (BEGINS.test(result.output)) count.inTraining++;
    if (lost > 0) count.lost++;
    if (result.code === 0) break;
  }
  return ended;
}

/**
 * Start the program in the surroundings of a way and end it at a random instant: of all its time, or mostly of that in which it
 * trains, some time after a step. `from`: the step that it goes on from.
 */
async function endOnce(way, task, { random, left, disk, dir, from }) {
  const training = random() < SHARE_IN_TRAINING && way?.end !== undefined;
  const step = from + Math.floor(random() * (left.steps - from + 1));
  const ms = Math.round(random() * (training ? left.training / left.steps : left.time));
  const running = await (way ?? WAYS.sigkill).start({ ...task, ms });
  let [over, asked] = [false, undefined];
  const ended = running.done.finally(() => {
    over = true;
  });
  if (way?.end) {
    if (training) await printed(running, BEGINS);
    while (training && !over && (await lastStep(dir)) < step) await sleep(20);
    await Promise.race([sleep(ms), ended]);
    if (!over) {
      await way.ready?.(running);
      asked = await lastStep(dir);
      await way.end(running, random, { disk });
    }
  }
  return { ...(await ended), asked, at: `${training ? `step ${step} + ` : ""}${ms} ms` };
}

/** What is wrong with how a program ended, as sentences; `newest` is the newest checkpoint then. */
function wrongEnd(way, { code, signal, output }, newest) {
  const wrong = [];
  const said = /(?:Stopped after|go on from) step (\d+)/.exec(output)?.[1];
  if (said !== undefined && Number(said) !== newest?.step)
    wrong.push(`says step ${said}, but the newest checkpoint is of step ${newest?.step}`);
  if (/This is a bug|^ +at .*:\d+:\d+\)?$/m.test(output)) wrong.push("shows a stack");
  const silent =
    output
      .replace(/^pid \d+\n/, "")
      .replace(/^(Hangup|Terminated|Killed)$/m, "") // what a shell says of a program that the system ended
      .replaceAll("^C", "")
      .trim() === "";
  const right = way?.code === null ? signal === "SIGKILL" : code === (way?.code ?? 0);
  // before its first line a program is still being loaded: nothing is lost, and the system itself ends it
  const early = silent && (code === null || code === undefined || code > 128);
  if (code !== 0 && !right && !early) wrong.push(`exit code ${code}, signal ${signal}`);
  return wrong;
}
