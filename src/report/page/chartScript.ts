// The browser's script of a page's charts: compiled when it runs from the sources, a file of dist when it is built.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Files of charts/ in the order in which they run: what is constant before what uses it. */
const PARTS = [
  ...["values", "marks", "lines", "training", "classes", "judged", "confusion", "thresholds", "comparison", "main"],
  ...["boxes", "browser", "fixed", "begin", "live"],
];

let script: Promise<string> | undefined;

/** As text; the same one for all pages. */
export function chartScript(): Promise<string> {
  script ??= import.meta.url.endsWith(".ts")
    ? compileCharts(fileURLToPath(new URL("../charts", import.meta.url)))
    : readFile(new URL("../charts.js", import.meta.url), "utf8");
  return script;
}

/** The files of charts/ as one script that leaves nothing in the page's global scope. It checks no types. */
export async function compileCharts(folder: string): Promise<string> {
  const { default: typescript } = await import("typescript"); // not there where the package is only used
  const texts = await Promise.all(PARTS.map((name) => readFile(join(folder, `${name}.ts`), "utf8")));
  const { outputText } = typescript.transpileModule(`(() => {\n${texts.join("")}})();\n`, {
    compilerOptions: { target: typescript.ScriptTarget.ES2022, module: typescript.ModuleKind.ESNext },
  });
  return `"use strict";\n${outputText}`;
}
