// An HTML document that is whole in itself: it runs its own scripts and reaches nothing else.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { programVersion } from "../../run/environment.ts";
import { type Html, html, json, raw } from "./html.ts";

/** The text of a document. `data` stands in it as JSON, in the element `data`; `scripts` run in their order, after the body. */
export function shell({
  title,
  style,
  body,
  data,
  scripts,
  refresh,
  live = false,
}: {
  title: string;
  style: string;
  body: Html;
  data: unknown;
  scripts: readonly string[];
  /** Seconds after which a browser reads the file again; undefined where it will not change. */
  refresh?: number | undefined;
  /** Whether the page is served, and may ask the one that serves it. */
  live?: boolean;
}): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts, { live })}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh !== undefined && html`<meta http-equiv="refresh" content="${refresh}">`}
<meta name="generator" content="rfdetr-train ${programVersion()}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
</head>
<body>
${body}
<script type="application/json" id="data">${json(data)}</script>
${scripts.map((script) => html`<script>${raw(script)}</script>\n`)}
</body>
</html>
`.text;
}

/**
 * The page can run its own scripts and show its own pictures; it can reach nothing else, whatever text got into it. A page that is served
 * can ask the one that serves it.
 */
function contentPolicy(scripts: readonly string[], { live }: { live: boolean }): string {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "img-src data:",
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** Style sheets, by their names beside this file, as one. */
export async function pageStyle(names: readonly string[]): Promise<string> {
  return (await Promise.all(names.map((name) => readFile(new URL(name, import.meta.url), "utf8")))).join("\n");
}
