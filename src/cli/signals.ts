// Everything that asks the program to end: Ctrl-C, kill, a scheduler's warning, a terminal that was closed, a parent that is gone. The first asks a
// command that can stop cleanly to do so; another Ctrl-C or kill, a second after the answer, has one that trains give up what is under
// way, and the one after that ends it at once, as the second one ends others. A terminal or a parent that goes meanwhile insists on
// nothing.

import { closeSync, fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { watchStarter } from "./starter.ts";

/** Exit code of a program that was stopped and can be resumed. */
export const STOPPED = 3;

/** Another signal within this time is the same wish: `timeout` sends two, and people press twice. */
const SAME_WISH_MS = 1000;

const PARENT_EVERY_MS = 1000;

/** What a command does about the first signal. */
type Stopping = {
  /** The rest of "SIGTERM: ...". */
  says: string;
  print(line: string): void;
  controller: AbortController;
  giveUp?: { says: string; controller: AbortController };
};

type Addon = ReturnType<typeof import("../engine/ownAddon.ts").ownAddon>;

let stopping: Stopping | undefined;
let answeredAt = Number.NaN;
/** Answers of JavaScript's, where native code does not give them. */
let answers = 0;
let addon: Addon;
/** What a hang-up that nobody's terminal has to do with asks for. */
let onHangUp: (() => void) | undefined;

/** Called once by main: without `stopSignal`, a signal ends the program with code 3. */
export function installSignals(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => wish(name));
  // What schedulers send before they kill: SGE and LSF either of the first two, a limit of processor time the last one, each second.
  if (process.platform !== "win32")
    for (const name of ["SIGUSR1", "SIGUSR2", "SIGXCPU"] as const)
      process.on(name, () => wish(name, { insists: false }));
  // Node makes SIGHUP fatal again in a program that nohup started, and tells nobody. Where all output goes to files, nobody sits in
  // front of the program: it goes on, whatever it does, after it has saved what it has.
  const unattended = isUnattended();
  process.on("SIGHUP", () => {
    if (!unattended) wish("SIGHUP", { insists: false });
    else onHangUp?.();
  });
  watchParent();
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on("exit", () => forget(terminals));
}

/** Node restores the state of its terminals as it exits, and crashes where one of them was closed; not where it has no such file. */
function forget(terminals: readonly number[]): void {
  for (const fd of terminals) {
    try {
      if (!isatty(fd)) closeSync(fd);
    } catch {
      // closed already
    }
  }
}

/** A signal for work that stops cleanly; `says` is what it does about it, such as "stopping after this step". */
export function stopSignal(
  says: string,
  print: (line: string) => void,
  { hangUp }: { hangUp?: () => void } = {},
): AbortSignal {
  stopping = { says, print, controller: new AbortController() };
  onHangUp = hangUp;
  return stopping.controller.signal;
}

/** The signal of a second wish: what is under way is given up, and what is finished is saved. `says` is that in words. */
export function giveUpSignal(says: string): AbortSignal {
  stopping!.giveUp = { says, controller: new AbortController() };
  return stopping!.giveUp.controller.signal;
}

/** Have signals answered at once even while native code computes. For commands that load the engine. */
export async function answerAtOnce(): Promise<void> {
  if (!stopping) return;
  const { ownAddon } = await import("../engine/ownAddon.ts");
  addon = ownAddon();
  const clear = process.stderr.isTTY ? "\r\u001b[K" : "";
  const [interrupt, terminate] = (["SIGINT", "SIGTERM"] as const).map((name) => `${clear}${answer(name)}\n`);
  const again = stopping.giveUp ? `${clear}${secondAnswer()}\n` : "";
  const farewell = `${clear}Stopped at once: nothing was saved since the last checkpoint.\n`;
  addon?.answerSignals?.(interrupt!, terminate!, again, farewell, STOPPED);
}

/** Whether work is under way that goes on though nobody reads its output any more. */
export function hasStopSignal(): boolean {
  return stopping !== undefined;
}

/** Whether a run is under way, which keeps a log of its own, so that no output is worth its end. */
export function hasRun(): boolean {
  return stopping?.giveUp !== undefined;
}

function answer(name: string): string {
  const { says, giveUp } = stopping!;
  return `${name}: ${says}. Once more, a second from now, ${giveUp ? "gives up what is under way" : "stops at once"}.`;
}

function secondAnswer(): string {
  return `Stopping now: ${stopping!.giveUp!.says}. Once more, a second from now, ends at once without saving.`;
}

/** `insists`: whether it asks for more where another one came before. */
function wish(name: string, { insists = true } = {}): void {
  if (!stopping) process.exit(STOPPED);
  const { controller, giveUp, print } = stopping;
  // the addon knows when each signal came, and ends the program where it is time; here a step may lie before it is heard
  const native = addon?.answers?.() ?? 0;
  const isLater = !controller.signal.aborted || (insists && performance.now() - answeredAt >= SAME_WISH_MS);
  if (native === 0 && isLater) {
    if (answers === (giveUp ? 2 : 1)) process.exit(STOPPED);
    print(answers === 0 ? answer(name) : secondAnswer());
    answers++;
    answeredAt = performance.now();
  }
  controller.abort(name);
  if (Math.max(native, answers) > 1) giveUp?.controller.abort(name);
}

/** Whether standard output and error both go to files, or nowhere. */
function isUnattended(): boolean {
  return [0, 1, 2].every((fd) => {
    try {
      const status = fstatSync(fd);
      return !isatty(fd) && (fd === 0 || status.isFile() || status.isCharacterDevice());
    } catch {
      return fd === 0;
    }
  });
}

/** npm and npx do not pass SIGTERM on, and `launch` may be killed: where they are gone, whoever ended them meant this program, too. */
function watchParent(): void {
  const { npm_execpath: npm, RFDETR_TRAIN_LAUNCHED: launched } = process.env;
  if ((npm === undefined && launched === undefined) || process.platform === "win32") return;
  const isThere = watchStarter();
  const timer = setInterval(() => {
    if (isThere()) return;
    clearInterval(timer);
    wish("The program that started this one is gone", { insists: false });
  }, PARENT_EVERY_MS);
  timer.unref();
}
