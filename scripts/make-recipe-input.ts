// Writes src/recipe/input.ts: the type of a recipe as a person writes it, with the documentation and default of each key, from
// the schema. TypeScript's own inference from the schema would lose both.
// Usage: npx tsx scripts/make-recipe-input.ts   (after a change of src/recipe/schema.ts)

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type JsonSchema, recipeJsonSchema } from "../src/recipe/jsonSchema.ts";

const HEAD = `// A recipe as a person may write it, most keys left out. Made by scripts/make-recipe-input.ts from schema.ts: change that file.
// biome-ignore-all format: generated
`;

/** The whole file. */
export function recipeInputSource(): string {
  return `${HEAD}\nexport interface RecipeInput ${typeOf(recipeJsonSchema(), "")}\n`;
}

function typeOf(schema: JsonSchema, indent: string): string {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return alternatives.map((one) => typeOf(one, indent)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  switch (schema.type) {
    case "array": {
      const item = typeOf(schema.items ?? {}, indent);
      const isUnion = item.includes("|") && (!item.startsWith("{") || schema.items?.anyOf || schema.items?.oneOf);
      return isUnion ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return typeof schema.additionalProperties === "object"
        ? `Record<string, ${typeOf(schema.additionalProperties, indent)}>`
        : objectType(schema, indent);
    case "integer":
      return "number";
    default:
      return schema.type ?? "unknown";
  }
}

function objectType({ properties = {}, required = [] }: JsonSchema, indent: string): string {
  if (properties.name?.const !== undefined) return stepType(properties, required);
  const deeper = `${indent}  `;
  const lines = Object.entries(properties).flatMap(([name, value]) => {
    const optional = !required.includes(name);
    const type = typeOf(value, deeper);
    return [
      `${deeper}${comment(value)}`,
      `${deeper}${name}${optional ? "?" : ""}: ${type}${optional ? " | undefined" : ""};`,
    ];
  });
  return ["{", ...lines, `${indent}}`].join("\n");
}

/** A step of a list on one line: there are many. */
function stepType(properties: Record<string, JsonSchema>, required: readonly string[]): string {
  const keys = Object.entries(properties).map(([key, value]) => {
    if (value.const !== undefined) return `${key}: ${typeOf(value, "")}`;
    const optional = !required.includes(key);
    return `${comment(value)} ${key}${optional ? "?" : ""}: ${typeOf(value, "").replaceAll(/\n\s*/g, " ")}${optional ? " | undefined" : ""}`;
  });
  return `{ ${keys.join("; ")} }`;
}

function comment({ description = "", default: value }: JsonSchema): string {
  const isSection = typeof value === "object" && value !== null;
  return `/** ${description}${value === undefined || isSection ? "" : ` @default ${JSON.stringify(value)}`} */`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(import.meta.dirname, "..", "src", "recipe", "input.ts");
  writeFileSync(path, recipeInputSource());
  console.log(path);
}
