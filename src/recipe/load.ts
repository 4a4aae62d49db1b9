// A recipe file and its overrides become a resolved recipe, or an error that says where and what.

import { basename, extname } from "node:path";
import { type Document, isNode, type LineCounter, stringify } from "yaml";
import { KINDS } from "../instance/metricKinds.ts";
import { MASK_METRIC } from "../instance/metrics.ts";
import { closest } from "../util/closest.ts";
import { UserError } from "../util/errors.ts";
import { writeFileAtomic } from "../util/files.ts";
import { isMissing, readUtf8 } from "../util/untrusted/regular.ts";
import { MOST_YAML_BYTES, parseYaml } from "../util/untrusted/yaml.ts";
import { explain, type Fault, keyName, show } from "./explain.ts";
import type { RecipeInput } from "./input.ts";
import { nearestKey } from "./manual.ts";
import { CUSTOM_NEEDS, givesMasks } from "./modelKeys.ts";
import { type Recipe, recipeSchema } from "./schema.ts";
import { recipeFile, shippedRecipes } from "./shipped.ts";

const MOST_VALUES = 10_000;

/**
 * Read, override (`["train.epochs=3"]`, the right side is YAML), validate, fill in defaults. Where `given` is no file, it may be
 * the name of a shipped recipe, such as "quickstart". Throws UserError.
 */
export async function loadRecipe(given: string, { overrides = [] }: { overrides?: string[] } = {}): Promise<Recipe> {
  const path = recipeFile(given);
  const text = await readText(path);
  const { document, lines, values } = parseYaml(text, path);
  const raw = toPlain(values, path);
  if (raw === null)
    throw new UserError(`${path} is empty.`, { hint: "List the shipped recipes with: rfdetr-train recipes" });
  if (typeof raw !== "object" || Array.isArray(raw))
    throw new UserError(`${path} is not a recipe: it must be a mapping of keys such as model, data and train.`);
  const overridden = new Map<string, string>();
  for (const override of overrides) overridden.set(applyOverride(raw as Mapping, override), override);
  const defaultName = basename(path, extname(path));
  const recipe = raw as Mapping;
  if (recipe.name === undefined && recipeSchema.shape.name.safeParse(defaultName).success) recipe.name = defaultName;
  return resolve(recipe, path, ({ path: key }) => {
    const name = keyName(key);
    // The fault may lie in what was set, or in the key that was replaced by setting something under it.
    for (const [set, override] of overridden)
      if (`${name}.`.startsWith(`${set}.`) || `${set}.`.startsWith(`${name}.`)) return `--set ${override}: `;
    return `${path}${lineOf(document, lines, key)}: `;
  });
}

/** Validate a recipe made in code and fill in its defaults. Throws UserError. */
export function resolveRecipe(input: RecipeInput): Recipe {
  return resolve(input, "recipe", () => "Recipe: ");
}

/** Write a resolved recipe as YAML. */
export async function writeRecipe(path: string, recipe: Recipe): Promise<void> {
  await writeFileAtomic(path, formatRecipe(recipe));
}

/** A recipe as YAML; `resolveRecipe` of what is read back gives the same recipe. */
export function formatRecipe(recipe: Recipe): string {
  return stringify(recipe, { lineWidth: 120, aliasDuplicateObjects: false });
}

type Mapping = Record<string, unknown>;

async function readText(path: string): Promise<string> {
  try {
    return await readUtf8(path, { most: MOST_YAML_BYTES, kind: "recipe" });
  } catch (error) {
    if (!isMissing(error)) throw error;
    const meant = closest(
      basename(path, extname(path)),
      (await shippedRecipes()).map(({ name }) => name),
    );
    throw new UserError(`There is no recipe ${path}.${meant ? ` Did you mean "${meant}"?` : ""}`, {
      hint: "The path is taken relative to the current folder. List the shipped recipes with: rfdetr-train recipes",
      cause: error,
    });
  }
}

/** The values of a YAML document with aliases copied, within bounds, so that no two keys share an object. */
function toPlain(values: unknown, path: string): unknown {
  let budget = MOST_VALUES;
  const copy = (value: unknown, depth: number): unknown => {
    if (--budget < 0 || depth > 20)
      throw new UserError(`${path} holds more values, or deeper ones, than a recipe can.`, {
        hint: "Check its YAML aliases (*name).",
      });
    if (Array.isArray(value)) return value.map((one) => copy(one, depth + 1));
    if (typeof value !== "object" || value === null) return value;
    if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null)
      throw new UserError(`${path} holds a value of a kind that recipes do not have: ${String(value)}.`);
    const entries = Object.entries(value).map(([key, child]) => {
      if (key === "__proto__") throw new UserError(`${path}: unknown key __proto__.`);
      return [key, copy(child, depth + 1)] as const;
    });
    return Object.fromEntries(entries);
  };
  return copy(values, 0);
}

/** Set one key of the recipe; returns the key. A mapping on the way that is missing is made. */
function applyOverride(recipe: Mapping, override: string): string {
  const equals = override.indexOf("=");
  const keys = override.slice(0, Math.max(equals, 0)).trim().split(".");
  if (equals < 1 || keys.some((key) => key === "" || key === "__proto__"))
    throw new UserError(`--set ${override}: expected key=value.`, { hint: "For example: --set train.epochs=3" });
  const source = `--set ${override}`;
  const value = toPlain(parseYaml(override.slice(equals + 1), source, { positions: false }).values, source);
  let at: Mapping | unknown[] = recipe;
  for (const [i, key] of keys.slice(0, -1).entries()) {
    const here: Mapping = at as Mapping;
    // A scalar such as "none" or null gives way to a mapping, so that train.ema.decay=0.9 works over train.ema: none.
    if (!Object.hasOwn(here, key) || here[key] === null || here[key] === "none") here[key] = {};
    const next = here[key];
    if (typeof next !== "object" || next === null)
      throw new UserError(`--set ${override}: ${keys.slice(0, i + 1).join(".")} is ${show(next)}, it has no keys.`);
    at = next as Mapping;
  }
  const last = keys.at(-1)!;
  if (Array.isArray(at) && !/^\d+$/.test(last))
    throw new UserError(`--set ${override}: ${keys.slice(0, -1).join(".")} is a list; its keys are 0, 1, ...`);
  (at as Mapping)[last] = value;
  return keys.join(".");
}

function resolve(raw: unknown, source: string, where: (fault: Fault) => string): Recipe {
  const result = recipeSchema.safeParse(raw);
  if (result.success) chooseByMasks(result.data, raw as RecipeInput);
  if (result.success) shareMetric(result.data, raw as RecipeInput);
  if (result.success) followQueries(result.data, raw as RecipeInput);
  const faults = result.success ? further(result.data) : explain(recipeSchema, raw, result.error);
  if (faults.length > 0 || !result.success) {
    const shown = faults.slice(0, 10).map((fault) => `${where(fault)}${fault.message}`);
    if (faults.length > shown.length) shown.push(`${source}: ${faults.length - shown.length} more faults.`);
    const key = nearestKey(keyName(faults[0]?.path ?? [])) ?? "all";
    throw new UserError(shown.join("\n"), {
      hint: `${key === "all" ? "All keys and what they take" : `What ${key} is and takes`}: rfdetr-train recipes --explain ${key}`,
    });
  }
  const { $schema: _, name, weights, ...rest } = result.data;
  const { variant } = rest.model;
  return {
    name: name ?? "run",
    ...rest,
    weights: weights ?? usualWeights(variant),
  };
}

/** The weights of a variant where a recipe names none. */
export function usualWeights(variant: Recipe["model"]["variant"]): string {
  if (variant === "custom") return "none";
  return variant === "mini" || variant === "seg-mini" ? `${variant}-shapes` : `rf-detr-${variant}`;
}

/** The best segmenter is the best by its masks, where the recipe does not say otherwise. */
function chooseByMasks({ model, selection }: ReturnType<typeof recipeSchema.parse>, given: RecipeInput): void {
  const { early_stopping: stopping } = given;
  if (!givesMasks(model) || selection.metric !== null) return;
  if (typeof stopping !== "object" || stopping.metric === undefined) selection.metric = MASK_METRIC;
}

/** As many detections count as a model with many queries can give, where the recipe does not say otherwise. */
function followQueries({ model, eval: evaluation }: ReturnType<typeof recipeSchema.parse>, given: RecipeInput): void {
  if (given.eval?.max_dets !== undefined) return;
  evaluation.max_dets = Math.max(evaluation.max_dets, model.num_select ?? model.num_queries ?? 0);
}

/** Early stopping watches what chooses the best, where it does not say otherwise. */
function shareMetric(recipe: ReturnType<typeof recipeSchema.parse>, given: RecipeInput): void {
  const { early_stopping: stopping, selection } = recipe;
  const { early_stopping: own } = given;
  if (stopping === "none" || selection.metric === null) return;
  if (typeof own === "object" && own.metric === undefined) stopping.metric = selection.metric;
}

/** What holds between keys, and what is not supported yet. */
function further(recipe: ReturnType<typeof recipeSchema.parse>): Fault[] {
  const faults: Fault[] = [];
  const add = (path: string, message: string) => faults.push({ path: path.split("."), message });
  const { model, data } = recipe;
  if (model.variant === "custom")
    for (const key of CUSTOM_NEEDS)
      if (model[key] === undefined)
        add(`model.${key}`, `model.${key} is missing: the variant custom has no default for it.`);
  for (const [i, { from_epoch: epoch }] of (recipe.train.stages ?? []).entries()) {
    const before = recipe.train.stages![i - 1]?.from_epoch;
    if (before === undefined ? epoch === 0 : epoch > before) continue;
    const path = ["train", "stages", i, "from_epoch"];
    const must = before === undefined ? "be 0: the first stage begins with the run" : `be above ${before}`;
    faults.push({ path, message: `${keyName(path)} is ${epoch}, but must ${must}.` });
  }
  if (recipe.track.gradient_histograms && !recipe.track.tensorboard)
    add(
      "track.gradient_histograms",
      "track.gradient_histograms is true, but track.tensorboard, which would show them, is false.",
    );
  const { early_stopping: stopping, selection } = recipe;
  for (const [
    path,
    metric,
  ] of [["selection.metric", selection.metric], ["early_stopping.metric", stopping === "none" ? null : stopping.metric]] as const) // biome-ignore format: one line
    if (!givesMasks(model) && metric?.startsWith(KINDS.segm.prefix))
      add(path, `${path} is ${metric}, but the model gives no masks: choose a variant seg-..., or a metric of boxes.`);
  if (stopping !== "none" && selection.metric !== null && selection.metric !== stopping.metric)
    add(
      "selection.metric",
      `selection.metric is ${selection.metric}, but early_stopping.metric is ${stopping.metric}: one metric does both. Leave one of them out.`,
    );
  if (selection.skip_best_epochs >= recipe.train.epochs)
    add(
      "selection.skip_best_epochs",
      `selection.skip_best_epochs is ${selection.skip_best_epochs}, but train.epochs is ${recipe.train.epochs}: no checkpoint could be the best.`,
    );
  if (data.dir === null && data.train === null)
    add("data.dir", "data.dir is missing: name the folder of the data set, or its files as data.train and data.val.");
  if (data.dir !== null && (data.train ?? data.val ?? data.test))
    add(
      "data.dir",
      "data.dir and data.train, data.val or data.test are both set; name either the folder or the files.",
    );
  return faults;
}

/** ":12:3" where the key stands, or its nearest parent; "" where nothing is known. */
function lineOf(document: Document, lines: LineCounter, path: Fault["path"]): string {
  for (let depth = path.length; depth > 0; depth--) {
    const position = positionOf(document, path.slice(0, depth));
    if (position === undefined) continue;
    const { line, col } = lines.linePos(position);
    return `:${line}:${col}`;
  }
  return "";
}

function positionOf(document: Document, path: Fault["path"]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1)!;
  const items = (parent as { items?: unknown[] } | undefined)?.items;
  const item = items?.find((one) => {
    const key = (one as { key?: unknown }).key;
    return isNode(key) && String((key as { value?: unknown }).value) === String(last);
  }) as { key?: unknown } | undefined;
  const node = item?.key ?? (typeof last === "number" ? items?.[last] : undefined);
  return isNode(node) ? node.range?.[0] : undefined;
}
