// `recipes`: list or print the recipes that come with the program, and the JSON schema of all keys.

import { readdir, readFile } from "node:fs/promises";
import type { CommandModule } from "yargs";
import { closest } from "../../util/closest.ts";
import { UserError } from "../../util/errors.ts";
import { packagePath } from "../../util/package.ts";

const FOLDER = packagePath("recipes/");

type Arguments = { name?: string; schema: boolean; json: boolean };

// biome-ignore lint/complexity/noBannedTypes: yargs' own type for no inherited options
export const recipesCommand: CommandModule<{}, Arguments> = {
  command: "recipes [name]",
  describe: "List or print the shipped recipes",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", describe: "The recipe to print; redirect it into a file of your own" })
      .option("schema", { type: "boolean", default: false, describe: "Print the JSON schema of a recipe, for editors" })
      .option("json", { type: "boolean", default: false, describe: "Print the list as JSON" }),
  handler: async ({ name, schema, json }) => {
    if (schema) {
      const { recipeJsonSchema } = await import("../../recipe/schema.ts");
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
      process.stdout.write(found.text);
      return;
    }
    if (json) {
      console.log(JSON.stringify({ recipes: recipes.map(({ text: _, ...rest }) => rest) }, null, 2));
      return;
    }
    const width = Math.max(...recipes.map((recipe) => recipe.name.length));
    for (const recipe of recipes) console.log(`${recipe.name.padEnd(width)}  ${recipe.about}`);
    console.log("\nPrint one: rfdetr-train recipes NAME > my.yaml    Train: rfdetr-train --recipe my.yaml");
  },
};

/** The shipped recipes by name. `about` is the first line of the header. */
async function shippedRecipes(): Promise<{ name: string; path: string; about: string; text: string }[]> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith(".yaml")).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(`${FOLDER}${file}`, "utf8");
      const about = /^# *(.*)$/m.exec(text)?.[1] ?? "";
      return { name: file.replace(/\.yaml$/, ""), path: `${FOLDER}${file}`, about, text };
    }),
  );
}
