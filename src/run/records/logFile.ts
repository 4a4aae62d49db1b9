// log.jsonl as a file: each line is on the disk at once; where the disk has no room, lines wait until it has.

import fs from "node:fs";
import { dirname } from "node:path";
import { checkInside } from "../../util/untrusted/regular.ts";

export type LogFile = {
  /** Append a line, with its end. Never throws: what cannot be written waits for the next call. */
  write(line: string): void;
  close(): void;
};

/** Characters of lines that wait; of more the oldest are given up, and a line in their place counts them. */
const MOST_WAITING = 4 << 20;

/** Append to a file that is made where it is missing. Throws a UserError where a link or a pipe stands in its place. */
export function openLogFile(path: string, { mostWaiting = MOST_WAITING }: { mostWaiting?: number } = {}): LogFile {
  checkInside(path, dirname(path));
  let file: number | undefined;
  let waiting: string[] = [];
  let [characters, lost] = [0, 0];
  const flush = () => {
    const text = (lost > 0 ? lossLine(lost) : "") + waiting.join("");
    try {
      fs.mkdirSync(dirname(path), { recursive: true });
      file ??= fs.openSync(path, "a");
      appendWhole(file, Buffer.from(text));
    } catch {
      return;
    }
    waiting = [];
    [characters, lost] = [0, 0];
  };
  flush();
  return {
    write: (line) => {
      waiting.push(line);
      characters += line.length;
      for (; characters > mostWaiting && waiting.length > 0; lost++) characters -= waiting.shift()!.length;
      flush();
    },
    close: () => {
      if (waiting.length > 0) flush();
      if (file !== undefined) fs.closeSync(file);
      file = undefined;
    },
  };
}

/** All of the bytes or, where it throws, none. */
function appendWhole(file: number, bytes: Buffer): void {
  const { size } = fs.fstatSync(file);
  try {
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(file, bytes, at);
  } catch (error) {
    fs.ftruncateSync(file, size);
    throw error;
  }
}

/** A line of the log that says how many are missing before the next one. */
function lossLine(lines: number): string {
  const msg = `${lines} ${lines === 1 ? "line is" : "lines are"} missing here: the log could not be written`;
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), pid: process.pid, msg })}\n`;
}
