// The recipe as JSON schema: for editors, and for all that says something about keys.

import { z } from "zod";
import { recipeSchema } from "./schema.ts";

/** The part of JSON schema that recipes use. */
export type JsonSchema = {
  title?: string;
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  required?: string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
};

/** JSON schema for editors (what a person writes, so most keys are optional). */
export function recipeJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(recipeSchema, {
    io: "input",
    target: "draft-7",
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum; // says nothing to a person
    },
  });
  return { title: "A recipe of rfdetr-train", ...(schema as JsonSchema) };
}
