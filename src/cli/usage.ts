// What is wrong with a command line as such, and what was probably meant: commands, options, arguments that are missing.

import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";

/** Throws a UserError where the first word is no command. A recipe in its place is what people mean to train. */
export function refuseUnknownCommand([first]: readonly string[], names: readonly string[]): void {
  if (first === undefined || first.startsWith("-") || names.includes(first)) return;
  if (isRecipe(first))
    throw new UserError(`There is no command "${first}"; a recipe is given with --recipe.`, {
      hint: `rfdetr-train --recipe ${first}`,
    });
  const meant = closest(first, names);
  throw new UserError(`There is no command "${first}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
    hint: `Commands: ${names.join(", ")}. To train: rfdetr-train --recipe FILE`,
  });
}

/** `help` and `help resume` as the option that they mean. */
export function helpFirst(words: readonly string[]): string[] {
  return words[0] === "help" ? [...words.slice(1), "--help"] : [...words];
}

/** `--images -` in the only form that yargs takes: it holds a single "-" for an option. */
export function inputAsValue(words: readonly string[]): string[] {
  if (words[0] !== "predict") return [...words];
  return words.flatMap((word, i) => {
    if (word === "-") return ["--images=-"];
    return word === "--images" && words[i + 1] === "-" ? [] : [word];
  });
}

/**
 * What yargs has to say about a command line, in words that name options as they are written. `options`: all that the command
 * has; `usages`: how each command is called.
 */
export function usageError(
  message: string,
  words: readonly string[],
  { options, usages }: { options: readonly string[]; usages: readonly string[] },
): UserError {
  const first = words[0]?.startsWith("-") === false ? words[0] : "train";
  const isGroup = usages.includes(`${first} <command>`) && words[1]?.startsWith("-") === false;
  const command = isGroup ? `${first} ${words[1]}` : first;
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(message)?.[1];
  const lacking = /^Missing required arguments?: (.+)/.exec(message)?.[1];
  const given = /^Not enough non-option arguments: got (\d+)/.exec(message)?.[1];
  const hint = `${command === "train" ? "All options" : `All that ${command} takes`}: rfdetr-train ${command} --help`;
  const recipe = words.slice(1).find(isRecipe);
  const takesRecipe = recipe !== undefined && options.includes("recipe") && !words.includes("--recipe");
  if ((unknown === recipe || lacking === "recipe") && takesRecipe)
    return new UserError(`${command} takes its recipe with --recipe.`, {
      hint: `rfdetr-train ${command} --recipe ${recipe}`,
    });
  if (lacking !== undefined) {
    const names = lacking.split(", ");
    const slip = words.find((word) => word.startsWith("--") && !options.includes(nameOf(word)));
    const meant = slip && closest(nameOf(slip), names);
    const written = meant ? ` You wrote ${slip}; did you mean --${meant}?` : "";
    return new UserError(`${command} needs ${names.map((name) => `--${name}`).join(" and ")}.${written}`, { hint });
  }
  if (given !== undefined) {
    const usage = usages.find((one) => one.split(" ")[0] === command) ?? command;
    const places = usage
      .split(" ")
      .slice(1)
      .filter((word) => word.startsWith("<"));
    return new UserError(`${command} needs ${places.slice(Number(given)).join(" and ")}.`, {
      hint: `rfdetr-train ${usage}`,
    });
  }
  if (unknown === undefined) return new UserError(message, { hint });
  const written = words.find((word) => nameOf(word) === unknown) ?? unknown;
  const meant = closest(unknown, options);
  return new UserError(`Unknown argument: ${written}.${meant ? ` Did you mean --${meant}?` : ""}`, { hint });
}

/** "--set" and "--set=x" are the option "set". */
function nameOf(word: string): string {
  return word.replace(/^-+/, "").split("=")[0]!;
}

function isRecipe(word: string): boolean {
  return /^[^-=][^=]*\.ya?ml$/i.test(word);
}
