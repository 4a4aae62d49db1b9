// `recipes`: list or print the recipes that come with the program, and the JSON schema of all keys.

import { isAbsolute, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { CommandModule } from "yargs";
import type { KeyEntry } from "../../recipe/manual.ts";
import { shippedRecipes } from "../../recipe/shipped.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { packagePath } from "../../util/package.ts";
import { JSON_OPTION, requireOnce } from "../options.ts";
import { printResult } from "../terminal/print.ts";
import { factTable, table } from "../terminal/table.ts";

type Arguments = { name?: string; explain?: string; schema: boolean; json: boolean };

// biome-ignore lint/complexity/noBannedTypes: yargs' own type for no inherited options
export const recipesCommand: CommandModule<{}, Arguments> = {
  command: "recipes [name]",
  describe: "List or print the shipped recipes",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", describe: "The recipe to print; redirect it into a file of your own" })
      .option("explain", {
        type: "string",
        requiresArg: true,
        describe: "Say what a key is, such as train.lr; a section's name lists its keys, all lists every key",
      })
      .option("schema", { type: "boolean", default: false, describe: "Print the JSON schema of a recipe, for editors" })
      .option("json", { ...JSON_OPTION, describe: "Print the list as JSON" }),
  handler: async ({ name, explain, schema, json }) => {
    requireOnce({ explain });
    if (explain !== undefined) {
      const { allKeys, keyEntry } = await import("../../recipe/manual.ts");
      const entries = explain === "all" ? allKeys() : [keyEntry(explain)];
      if (json) console.log(JSON.stringify(explain === "all" ? { keys: entries } : entries[0], null, 2));
      else printResult(explain === "all" ? listOf(entries) : explained(entries[0]!));
      return;
    }
    if (schema) {
      const { recipeJsonSchema } = await import("../../recipe/jsonSchema.ts");
      console.log(JSON.stringify(recipeJsonSchema(), null, 2));
      return;
    }
    const recipes = await shippedRecipes();
    if (name !== undefined) {
      const found = recipes.find((recipe) => recipe.name === name.replace(/\.yaml$/, ""));
      if (!found) {
        const names = recipes.map((recipe) => recipe.name);
        const meant = closest(name, names);
        throw new UserError(`There is no shipped recipe "${name}".${meant ? ` Did you mean "${meant}"?` : ""}`, {
          hint: `Shipped: ${names.join(", ")}.`,
        });
      }
      process.stdout.write(`${schemaLine()}\n${found.text}`);
      return;
    }
    if (json) {
      console.log(JSON.stringify({ recipes: recipes.map(({ text: _, ...rest }) => rest) }, null, 2));
      return;
    }
    for (const line of factTable(recipes.map(({ name, about }) => [name, about]))) printResult(line);
    printResult(
      "\nPrint one: rfdetr-train recipes NAME > my.yaml    Train: rfdetr-train --recipe my.yaml, or --recipe NAME as it is",
    );
  },
};

/** Tells editors with the language server of YAML where the documentation of all keys is, seen from the current folder. */
function schemaLine(): string {
  const path = packagePath("dist/recipe.schema.json");
  const short = relative(process.cwd(), path);
  return `# yaml-language-server: $schema=${short.startsWith("..") || isAbsolute(short) ? pathToFileURL(path) : short}`;
}

/** A key with what it takes, its default and its meaning; a section with a line for each of its keys, too. */
function explained({ key, takes, default: value, description, keys }: KeyEntry): string {
  const isSection = typeof value === "object" && value !== null;
  const lines = [key, `  ${description}.`, `  takes    ${takes}`];
  if (value !== undefined && !isSection) lines.push(`  default  ${shown(value)}`);
  if (keys.length > 0) lines.push("", listOf(keys));
  return lines.join("\n");
}

/** A line for each key: name, default, meaning. */
function listOf(keys: readonly KeyEntry[]): string {
  const shownDefault = (value: unknown) => (typeof value === "object" && value !== null ? "" : shown(value));
  return table(
    keys.map(({ key, default: value, description }) => [key, shownDefault(value), description]),
    { align: ["left"] },
  ).join("\n");
}

const shown = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
