// Serves the page, a model and onnxruntime-web on this machine.
// Usage: npm start -- MODEL.onnx [--picture FILE] [--port 8080]

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { picture: { type: "string" }, port: { type: "string", default: "8080" } },
});
const [model] = positionals;
if (!model) {
  console.error("Usage: npm start -- MODEL.onnx [--picture FILE] [--port 8080]");
  process.exit(2);
}

const here = dirname(fileURLToPath(import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const files = {
  "/browser/": join(here, "index.html"),
  "/browser/page.js": join(here, "page.js"),
  "/detector.js": join(here, "..", "detector.js"),
  "/model.onnx": model,
  ...(values.picture && { "/picture": values.picture }),
};
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" }; // biome-ignore format: one line

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/")
    return response.writeHead(302, { location: `/browser/${values.picture ? "?picture=/picture" : ""}` }).end();
  const path = pathname.startsWith("/ort/") ? join(runtime, basename(pathname)) : files[pathname];
  if (!path || !existsSync(path)) return response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": TYPES[extname(path)] ?? "application/octet-stream",
    "content-length": statSync(path).size,
    // Isolated from other pages, as threads in WebAssembly ask for.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  createReadStream(path).pipe(response);
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
