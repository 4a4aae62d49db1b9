// `recipes`: list or print the recipes that come with the program, and the JSON schema of all keys.

import { isAbsolute, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { CommandModule } from "yargs";
import type { KeyEntry } from "../../recipe/manual.ts";
import { shippedRecipes } from "../../recipe/shipped.ts";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { packagePath } from "../../util/package.ts";
import { requireOnce } from "../options.ts";

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
      .option("json", { type: "boolean", default: false, describe: "Print the list as JSON" }),
  handler: async ({ name, explain, schema, json }) => {
    requireOnce({ explain });
    if (explain !== undefined) {
      const { allKeys, keyEntry } = await import("../../recipe/manual.ts");
      const entries = explain === "all" ? allKeys() : [keyEntry(explain)];
      if (json) console.log(JSON.stringify(explain === "all" ? { keys: entries } : entries[0], null, 2));
      else console.log(explain === "all" ? listOf(entries) : explained(entries[0]!));
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
    const width = Math.max(...recipes.map((recipe) => recipe.name.length));
    for (const recipe of recipes) console.log(`${recipe.name.padEnd(width)}  ${recipe.about}`);
    console.log(
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
  const names = keys.map(({ key }) => key);
  const defaults = keys.map(({ default: value }) => (typeof value === "object" && value !== null ? "" : shown(value)));
  const width = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length)) + 2;
  return keys
    .map(({ description }, i) => names[i]!.padEnd(width(names)) + defaults[i]!.padEnd(width(defaults)) + description)
    .join("\n");
}

const shown = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
