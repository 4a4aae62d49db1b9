// What a person reads on the terminal: pino's lines, made pretty. Facts stay plain sentences, warnings stand out.

import pino from "pino";
import pretty from "pino-pretty";
import { visible } from "../../util/visible.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** `good`: a part of the message that is good news, shown in green. */
export type TerminalLog = Record<"debug" | "info" | "warn", (message: string, good?: string) => void>;

/** Messages of `level` and above go to `print`, one at a time, in colours where asked. */
export function terminalLog(
  print: (text: string) => void,
  { level = "info", colour = false }: { level?: Level; colour?: boolean } = {},
): TerminalLog {
  const format = pretty.prettyFactory({
    colorize: colour,
    customColors: "message:reset",
    ignore: "level,good",
    messageFormat: (entry, key, _level, { colors }) => {
      const text = visible(String(entry[key]), { lines: true });
      const rank = Number(entry.level);
      if (rank >= pino.levels.values.warn!) return (colors as Colours).yellow(`Warning: ${text}`);
      if (rank < pino.levels.values.info!) return (colors as Colours).gray(text);
      const good = entry.good === undefined ? "" : visible(String(entry.good));
      return good === "" ? text : text.replace(good, () => (colors as Colours).green(good));
    },
  });
  const write = (line: string) => print(format(line).replace(/\n$/, ""));
  const log = pino({ level, base: null, timestamp: false }, { write });
  const said = (level: keyof TerminalLog) => (message: string, good?: string) => log[level]({ good }, message);
  return { debug: said("debug"), info: said("info"), warn: said("warn") };
}

/** What pino-pretty hands to a message format; its types leave it out. */
type Colours = Record<"yellow" | "gray" | "green", (text: string) => string>;
