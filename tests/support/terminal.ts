// A program in a pseudo-terminal, made by script(1): what it sent to it, and what stands on the screen at the end.

import { execFileSync, spawn } from "node:child_process";
import type { TestContext } from "vitest";

const ESCAPE = "\u001b";

/** Skips the test, with the reason, where the machine has no script(1) of util-linux. */
export function requireTerminal({ skip }: Pick<TestContext, "skip">): void {
  try {
    execFileSync("script", ["-qec", "true", "/dev/null"], { stdio: "ignore" });
  } catch {
    skip("there is no script(1) that makes a pseudo-terminal");
  }
}

/**
 * Run words in a terminal. `onText` is called with all that was written so far; what it returns is typed, such as
 * "\x03" for Ctrl-C; a promise when it is there.
 */
export function inTerminal(
  words: readonly string[],
  {
    columns,
    onText = () => undefined,
  }: { columns: number; onText?: (text: string) => string | Promise<string> | undefined },
): Promise<{ code: number; sent: string }> {
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const command = `stty cols ${columns} rows 24; exec ${quoted}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], { env: { ...process.env, TERM: "xterm" } });
  let sent = "";
  child.stdout.on("data", (chunk) => {
    sent += chunk;
    void Promise.resolve(onText(sent)).then((typed) => typed !== undefined && child.stdin.write(typed));
  });
  return new Promise((done) => child.on("close", (code) => done({ code: code ?? -1, sent })));
}

/** Lines on the screen after all of this was sent, and where the cursor is; throws at a sequence that it does not know. */
export function screenAfter(sent: string, columns: number): { lines: string[]; column: number } {
  const lines: string[][] = [[]];
  let column = 0;
  for (let at = 0; at < sent.length; ) {
    const character = String.fromCodePoint(sent.codePointAt(at)!);
    at += character.length;
    if (character === "\r") column = 0;
    else if (character === "\n") lines.push([]);
    else if (character === ESCAPE) {
      const known = /^\[(K|\d*m)/.exec(sent.slice(at));
      if (!known) throw new Error(`The terminal was sent ESC ${JSON.stringify(sent.slice(at, at + 8))}`);
      if (known[1] === "K") lines.at(-1)!.length = Math.min(lines.at(-1)!.length, column);
      at += known[0].length;
    } else {
      if (column === columns) {
        lines.push([]);
        column = 0;
      }
      lines.at(-1)![column++] = character;
    }
  }
  return { lines: lines.map((line) => Array.from(line, (cell) => cell ?? " ").join("")), column };
}
