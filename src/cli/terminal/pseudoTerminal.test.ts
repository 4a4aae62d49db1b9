// What bars send to a terminal and leave on it, at several widths and however the program ends.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { inTerminal, requireTerminal, screenAfter } from "../../../tests/support/terminal.ts";

const program = (...words: string[]) => [
  process.execPath,
  ...["--import", "tsx", "tests/support/shownRun.ts"],
  ...words,
];

for (const columns of [60, 80, 140])
  for (const kind of ["training", "count"])
    test(`a bar of a ${kind} fits ${columns} columns and leaves only the lines above it`, async (context) => {
      requireTerminal(context);
      const { code, sent } = await inTerminal(program(kind, "done"), { columns });
      expect(code).toBe(0);
      for (const word of ["\u001b7", "\u001b8", "\u001b[s", "\u001b[u", "\u001b[?"]) expect(sent).not.toContain(word);
      expect(screenAfter(sent, columns)).toEqual({
        lines: ["saved 5 樫の木", "saved 10 樫の木", "All done.", ""],
        column: 0,
      });
      const bars = sent.split("\r").filter((line) => /[█░]/.test(line));
      expect(bars.length).toBeGreaterThan(2);
      for (const line of bars) expect(line).toMatch(/^[█░]{10,30} /);
      expect(bars.at(-1)).toMatch(/\d+s left/);
      const rate = kind === "training" && columns === 140;
      expect({ columns, rate: sent.includes("lr 1.00e-4") }).toEqual({ columns, rate });
    });

/** After a second, in which another signal would be taken for the same wish. */
const later = <T>(act: () => T) => new Promise<T>((done) => setTimeout(() => done(act()), 1200));

test("a second Ctrl-C, a kill and an uncaught error leave an empty line and no bar", async (context) => {
  requireTerminal(context);
  const columns = 80;
  const typed: string[] = [];
  const interrupted = await inTerminal(program("training", "wait"), {
    columns,
    onText: (text) => {
      if (typed.length === 0 && text.includes("waiting.")) return typed[typed.push("first") - 1] && "\u0003";
      if (typed.length === 1 && text.includes("stopping.") && typed.push("second")) return later(() => "\u0003");
      return undefined;
    },
  });
  let killed = 0;
  const ended = await inTerminal(program("training", "wait"), {
    columns,
    onText: (text) => {
      const pid = Number(/waiting\. pid (\d+)/.exec(text)?.[1]);
      if (pid && killed === 0) process.kill(pid, "SIGTERM");
      if (pid && killed < 2 && text.includes("stopping.")) void later(() => process.kill(pid, "SIGTERM"));
      killed = pid ? (text.includes("stopping.") ? 2 : 1) : 0;
      return undefined;
    },
  });
  const thrown = await inTerminal(program("training", "throw"), { columns });
  expect([interrupted, ended, thrown].map(({ code }) => code)).toEqual([3, 3, 1]);
  for (const { sent } of [interrupted, ended, thrown]) {
    const { lines, column } = screenAfter(sent.replaceAll("^C", ""), columns);
    expect({ column, last: lines.at(-1) }).toEqual({ column: 0, last: "" });
    expect(lines.join("\n")).not.toMatch(/[█░]/);
  }
});

test("without a terminal the same program writes plain lines only", () => {
  const [node, ...words] = program("training", "done");
  const out = execFileSync(node!, words, { encoding: "utf8" });
  expect(out).not.toContain("\u001b");
  expect(out).toMatch(/^epoch 1\/50 {2}step 1\/12 .* 14s left\nsaved 5/);
  expect(out).toMatch(/step 12\/12 .*\nAll done\.\n$/);
});
