// YAML of people and of foreign files, read in bounded time: its size, its parts and its depth are counted before and while it is read.

import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
} from "yaml";
import { UserError } from "../errors.ts";

/** Bytes of a YAML file. A table of 10,000 class names has some 200 kB. */
export const MOST_YAML_BYTES = 1 << 20;
const MOST_TOKENS = 200_000;
const MOST_LEVELS = 50;

export type Yaml = { document: Document.Parsed; lines: LineCounter; values: unknown };

/**
 * A document and its plain values. Throws a UserError that names `source` and the place where the text is no YAML, has a key
 * twice or a key that is no text or number, or is larger or deeper than any file of ours. `positions: false` leaves the place out.
 */
export function parseYaml(text: string, source: string, { positions = true }: { positions?: boolean } = {}): Yaml {
  const tooLarge = (what: string) =>
    new UserError(`${source} ${what}, more than a recipe or a list of classes can need.`);
  if (text.length > MOST_YAML_BYTES) throw tooLarge(`has ${text.length} characters of YAML`);
  const lines = new LineCounter();
  const wrong = (why: string, at: number | undefined, cause?: unknown) => {
    const { line, col } = positions && at !== undefined ? lines.linePos(at) : { line: 0, col: 0 };
    const place = line > 0 ? `:${line}:${col}` : "";
    return new UserError(`${source}${place}: not valid YAML: ${why}`, { cause });
  };
  try {
    // The library's own check of keys compares each with each.
    const composer = new Composer({ uniqueKeys: false });
    const [document, second] = composer.compose(tokensOf(text, { lines, wrong }), true, text.length);
    if (!document || second) throw wrong("It holds several documents", second?.range[0]);
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault)
      throw wrong(fault.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, ""), fault.pos?.[0], fault);
    checkNodes(document.contents, wrong);
    return { document, lines, values: document.toJS({ maxAliasCount: 100 }) };
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${source}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: "No YAML aliases (*name) are needed; write the values out.",
      cause,
    });
  }
}

type Wrong = (why: string, at: number | undefined) => UserError;

/** The parts of a text, counted, and their depth: composing them takes the stack, and time, of their depth. */
function tokensOf(text: string, { lines, wrong }: { lines: LineCounter; wrong: Wrong }): CST.Token[] {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  let count = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > MOST_TOKENS) throw wrong(`it has over ${MOST_TOKENS} parts`, undefined);
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MOST_LEVELS) throw wrong("it is nested too deeply", parser.offset);
  }
  tokens.push(...parser.end());
  return tokens;
}

function checkNodes(contents: unknown, wrong: Wrong): void {
  const placeOf = (node: unknown) => (node as { range?: [number, number, number] | null } | null)?.range?.[0];
  const open: unknown[] = [contents];
  while (open.length > 0) {
    const node = open.pop();
    if (!isCollection(node)) continue;
    const keys = new Set<string>();
    for (const item of node.items) {
      if (!isPair(item)) {
        open.push(item);
        continue;
      }
      open.push(item.value);
      if (isAlias(item.key)) continue;
      if (item.key !== null && !isScalar(item.key)) throw wrong("A key is a list or a mapping.", placeOf(item.key));
      const key = String(item.key?.value ?? null);
      if (isMap(node) && keys.has(key)) throw wrong("Map keys must be unique", placeOf(item.key));
      keys.add(key);
    }
  }
}
