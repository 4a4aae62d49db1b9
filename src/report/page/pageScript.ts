// The browser's scripts of pages: compiled when they are asked for from the sources, files of dist when it is built.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Files of a folder beside this one in the order in which they run: what is constant before what uses it. */
export const SCRIPTS = {
  charts: [
    ...["values", "marks", "lines", "training", "classes", "judged", "confusion", "thresholds", "comparison", "main"],
    ...["boxes", "browser", "fixed", "begin", "live"],
  ],
  reviewer: ["picture", "decisions", "reviewer"],
} as const;

export type ScriptName = keyof typeof SCRIPTS;

const scripts = new Map<ScriptName, Promise<string>>();

/** As text; the same one for all pages. */
export function pageScript(name: ScriptName): Promise<string> {
  const script =
    scripts.get(name) ??
    (import.meta.url.endsWith(".ts")
      ? compileScript(name, fileURLToPath(new URL(`../${name}`, import.meta.url)))
      : readFile(new URL(`../${name}.js`, import.meta.url), "utf8"));
  scripts.set(name, script);
  return script;
}

/** The files of a folder as one script that leaves nothing in the page's global scope. It checks no types. */
export async function compileScript(name: ScriptName, folder: string): Promise<string> {
  const { default: typescript } = await import("typescript"); // not there where the package is only used
  const texts = await Promise.all(SCRIPTS[name].map((part) => readFile(join(folder, `${part}.ts`), "utf8")));
  const { outputText } = typescript.transpileModule(`(() => {\n${texts.join("")}})();\n`, {
    compilerOptions: { target: typescript.ScriptTarget.ES2022, module: typescript.ModuleKind.ESNext },
  });
  return `"use strict";\n${outputText}`;
}
