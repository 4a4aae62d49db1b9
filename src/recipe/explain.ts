// What is wrong in a recipe, said to a person: the key, the value, the line, what is allowed, and what was probably meant.

import { z } from "zod";
import { closest } from "../util/closest.ts";
import { isObject } from "../util/untrusted/json.ts";

type Path = readonly PropertyKey[];

/** One fault of a recipe. `message` is a sentence that names the key. */
export type Fault = { path: Path; message: string };

/** The faults that zod found in `value`, unknown keys first within their section. */
export function explain(schema: z.ZodType, value: unknown, error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue) => explainIssue(schema, value, issue, []));
}

function explainIssue(schema: z.ZodType, root: unknown, issue: z.core.$ZodIssue, above: Path): Fault[] {
  const path = [...above, ...issue.path];
  const value = valueAt(root, path);
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, path, root);
    return issue.keys.map((key) => {
      const meant = closest(key, known) ?? elsewhere(schema, key);
      const where = path.length === 0 ? "a recipe" : keyName(path);
      return {
        path: [...path, key],
        message: `unknown key ${keyName([...path, key])}. ${
          meant ? `Did you mean ${meant}?` : `Keys of ${where}: ${known.join(", ")}.`
        }`,
      };
    });
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) return [unknownName(schema, path, value)];
  if (issue.code === "invalid_union" && (isObject(value) || Array.isArray(value))) {
    // A mapping or a list was given: what is wrong inside it says more than that it is not the word "none".
    const inside = issue.errors.find((issues) =>
      issues.every((one) => one.path.length > 0 || one.code === "unrecognized_keys"),
    );
    if (inside) return inside.flatMap((one) => explainIssue(schema, root, one, path));
  }
  const missing = value === undefined;
  const allowed = [...new Set(schemasAt(schema, path, root).map(describeAllowed))].join(" or ");
  return [
    {
      path,
      message: missing
        ? `${keyName(path)} is missing; it must be ${allowed}.`
        : `${keyName(path)} is ${show(value)}, but must be ${allowed || issue.message}.`,
    },
  ];
}

/** A name by which one of several kinds of mappings is chosen, and that is none of theirs. */
function unknownName(schema: z.ZodType, path: Path, value: unknown): Fault {
  const names = schemasAt(schema, path).map(describeAllowed);
  const meant = typeof value === "string" ? closest(value, names) : undefined;
  const said = value === undefined ? "is missing" : `is ${show(value)}, which there is not`;
  return {
    path,
    message: `${keyName(path)} ${said}. ${meant ? `Did you mean ${meant}? ` : ""}Known: ${names.join(", ")}.`,
  };
}

/** `train.stages[1].train` */
export function keyName(path: Path): string {
  return path.reduce<string>(
    (name, part) =>
      typeof part === "number" ? `${name}[${part}]` : name === "" ? String(part) : `${name}.${String(part)}`,
    "",
  );
}

/** A value as it stands in a recipe, shortened. */
export function show(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Value at a path, or undefined. Only own properties count. */
function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    root,
  );
}

/** The schema under defaults, null and alternatives: more than one where there are alternatives. */
function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { def } = schema._zod as z.core.$ZodTypes["_zod"];
  switch (def.type) {
    case "default":
    case "prefault":
    case "optional":
      return alternatives(def.innerType);
    case "nullable":
      return [...alternatives(def.innerType), z.null()];
    case "union":
      return def.options.flatMap((option) => alternatives(option));
    default:
      return [schema];
  }
}

/** The schemas of what stands at a path. `root`: what was written; of mappings with a name, only the one that it names counts. */
function schemasAt(schema: z.core.$ZodType, path: Path, root?: unknown): z.core.$ZodType[] {
  return path.reduce<z.core.$ZodType[]>((schemas, key, depth) => {
    const children = schemas.flatMap((one) => {
      const { def } = one._zod as z.core.$ZodTypes["_zod"];
      if (def.type === "object") {
        const child = Object.hasOwn(def.shape, key) ? def.shape[String(key)] : undefined;
        return child ? alternatives(child) : [];
      }
      if (def.type === "record") return alternatives(def.valueType);
      return def.type === "array" && typeof key === "number" ? alternatives(def.element) : [];
    });
    return named(children, valueAt(root, path.slice(0, depth + 1)));
  }, alternatives(schema));
}

/** The one whose name the value has; all where there is none. */
function named(schemas: z.core.$ZodType[], value: unknown): z.core.$ZodType[] {
  const name = valueAt(value, ["name"]);
  const found = schemas.filter((one) => {
    const { def } = one._zod as z.core.$ZodTypes["_zod"];
    return def.type === "object" && isNamed(def.shape) && (def.shape.name as z.ZodLiteral).def.values.some((one) => one === name); // biome-ignore format: one line
  });
  return found.length > 0 ? found : schemas;
}

/** Whether the keys of a mapping have a name that says which of several it is. */
function isNamed(shape: z.core.$ZodShape): boolean {
  return shape.name instanceof z.ZodLiteral;
}

function keysAt(schema: z.core.$ZodType, path: Path, root?: unknown): string[] {
  return schemasAt(schema, path, root).flatMap((one) => {
    const { def } = one._zod as z.core.$ZodTypes["_zod"];
    return def.type === "object" ? Object.keys(def.shape) : [];
  });
}

/** What other programs call some keys. */
export const OTHER_NAMES: Readonly<Record<string, string>> = {
  ...{
    learning_rate: "train.lr",
    lr0: "train.lr",
    base_lr: "train.lr",
    num_epochs: "train.epochs",
    max_epochs: "train.epochs",
  },
  ...{
    imgsz: "model.resolution",
    img_size: "model.resolution",
    image_size: "model.resolution",
    input_size: "model.resolution",
  },
  ...{ batch: "data.batch_size", num_workers: "data.workers", dataset_dir: "data.dir", dataset: "data.dir" },
  ...{ accumulate: "train.grad_accum_steps", gradient_accumulation_steps: "train.grad_accum_steps" },
};

/** The full name of a key that exists, but in another section or program. */
function elsewhere(schema: z.core.$ZodType, key: string): string | undefined {
  if (Object.hasOwn(OTHER_NAMES, key)) return OTHER_NAMES[key];
  const search = (path: string[]): string[] =>
    keysAt(schema, path).flatMap((child) => (child === key ? [[...path, child].join(".")] : search([...path, child])));
  return search([])[0];
}

/** What a schema takes, in words: "a whole number of at least 1". */
function describeAllowed(schema: z.core.$ZodType): string {
  const { def } = schema._zod as z.core.$ZodTypes["_zod"];
  switch (def.type) {
    case "null":
      return "null";
    case "boolean":
      return "true or false";
    case "literal":
      return def.values.map(String).join(", ");
    case "enum":
      return `one of ${Object.values(def.entries).join(", ")}`;
    case "array": {
      const check = schema instanceof z.ZodArray ? schema.def.checks?.find(isCustom) : undefined;
      return (check && wordsOf(check)) ?? "a list";
    }
    case "record":
      return "a mapping of names";
    case "object":
      if (isNamed(def.shape)) return "a mapping with a name and its keys";
      return `a mapping with the keys ${Object.keys(def.shape).join(", ")}`;
    case "string": {
      const check = schema instanceof z.ZodString ? schema.def.checks?.find(isRegex) : undefined;
      return (check && wordsOf(check)) ?? "a text that is not empty";
    }
    case "number":
      return describeNumber(z.toJSONSchema(schema) as NumberBounds);
    default:
      return def.type;
  }
}

function isRegex(check: z.core.$ZodCheck<never>): boolean {
  return (check._zod.def as { format?: string }).format === "regex";
}

function isCustom(check: z.core.$ZodCheck<never>): boolean {
  return check._zod.def.check === "custom";
}

/** What the schema says of a pattern, or of a condition of its own. */
function wordsOf(check: z.core.$ZodCheck<never>): string | undefined {
  const words = check._zod.def.error?.({ input: undefined } as never);
  return typeof words === "string" ? words : undefined;
}

type NumberBounds = {
  type: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
};

function describeNumber({ type, minimum, exclusiveMinimum, maximum, exclusiveMaximum }: NumberBounds): string {
  const bounds = [
    minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER && `of at least ${minimum}`,
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && `at most ${maximum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
  ].filter(Boolean);
  return `${type === "integer" ? "a whole number" : "a number"} ${bounds.join(" and ")}`.trim();
}
