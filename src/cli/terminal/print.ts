// Text of commands for people: names from files in it are shown, never sent as commands to the terminal.

import { visible } from "../../util/visible.ts";
import { liveLine } from "./liveLine.ts";

/** The result of a command. */
export function printResult(text: string): void {
  liveLine(process.stdout).print(visible(text, { lines: true }));
}

/** What is said beside the result. */
export function printNote(text: string): void {
  liveLine(process.stderr).print(visible(text, { lines: true }));
}
