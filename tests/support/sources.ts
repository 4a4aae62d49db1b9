// The sources as TypeScript's own parser sees them: what each file imports and exports, and how long its functions are.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

const ROOT = join(import.meta.dirname, "..", "..");

export type LongFunction = { name: string; lines: number };

/** Paths from the repository's root, with "/", of the files in `folder` that `wanted` takes. */
export function filesIn(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => wanted.test(file) && !/(^|\/)node_modules\/|^tests\/fixtures\//.test(file))
    .sort();
}

/** The text of a file of the repository. */
export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** How many lines a file has. */
export function linesOf(file: string): number {
  return textOf(file).replace(/\n$/, "").split("\n").length;
}

/** All that a file imports: statically, for its types only, lazily, re-exported, or as a file beside it. Those that are relative as paths from the root. */
export function importsOf(file: string): string[] {
  const named = ts.preProcessFile(textOf(file), true, true).importedFiles.map(({ fileName }) => fileName);
  return [...new Set(named)].map((name) =>
    name.startsWith(".") ? relative(ROOT, join(ROOT, dirname(file), name)).replaceAll("\\", "/") : name,
  );
}

/** Names that a file exports, types included, and those that it passes on from other files. */
export function exportsOf(file: string): { own: string[]; passedOn: string[] } {
  const own: string[] = [];
  const passedOn: string[] = [];
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause: clause } = statement;
      const names = clause && ts.isNamedExports(clause) ? clause.elements.map(({ name }) => name.text) : ["*"];
      (statement.moduleSpecifier ? passedOn : own).push(...names);
    } else if (ts.canHaveModifiers(statement) && isExported(statement)) own.push(...declared(statement));
  }
  return { own: [...new Set(own)], passedOn };
}

/** Functions of a file, those within others included, that have more lines than `limit`. */
export function functionsAbove(limit: number, file: string): LongFunction[] {
  const source = parse(file);
  const found: LongFunction[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const start = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const lines = source.getLineAndCharacterOfPosition(node.getEnd()).line - start + 1;
      if (lines > limit) found.push({ name: nameOf(node), lines });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Circles of a graph of files, each as the files on it, sorted. */
export function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const reach = new Map([...edges.keys()].map((file) => [file, reachedFrom(file, edges)]));
  const found = [...edges.keys()]
    .filter((file) => reach.get(file)!.has(file))
    .map((file) => [...reach.get(file)!].filter((other) => reach.get(other)?.has(file)).sort());
  return [...new Map(found.map((circle) => [circle.join(), circle])).values()];
}

function reachedFrom(start: string, edges: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const ahead = [...(edges.get(start) ?? [])];
  for (let file = ahead.pop(); file !== undefined; file = ahead.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    ahead.push(...(edges.get(file) ?? []));
  }
  return reached;
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true);
}

function isExported(statement: ts.HasModifiers): boolean {
  return ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

/** Names that a statement declares. */
function declared(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => bound(name));
  const { name } = statement as ts.Statement & { name?: ts.Identifier };
  return [name?.text ?? "default"];
}

function bound(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : bound(element.name)));
}

/** What a function is called by, or by what it is assigned to. */
function nameOf(node: ts.SignatureDeclaration): string {
  const named = node.name ? node : node.parent;
  const { name } = named as ts.Node & { name?: ts.Node };
  return name?.getText() ?? "(without a name)";
}
