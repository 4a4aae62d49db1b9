// Ctrl-C and kill: the first asks a command that can stop cleanly to do so, the second ends the program at once.

/** Exit code of a program that was stopped and can be resumed. */
export const STOPPED = 3;

let controller: AbortController | undefined;
let announce: (signal: NodeJS.Signals) => void = () => {};

/** Called once by main: without `stopSignal`, a signal ends the program with code 3. */
export function installSignals(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => {
      if (!controller || controller.signal.aborted) process.exit(STOPPED);
      announce(name);
      controller.abort(name);
    });
}

/** A signal for work that stops cleanly. `onStop` says that it was heard. */
export function stopSignal(onStop: (signal: NodeJS.Signals) => void): AbortSignal {
  announce = onStop;
  controller = new AbortController();
  return controller.signal;
}

/** Whether work is under way that goes on though nobody reads its output any more. */
export function hasStopSignal(): boolean {
  return controller !== undefined;
}
