// Changes to files that were right: bytes, pieces of text, values of JSON, and what stands in a file's place.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";

/** Numbers in [0, 1) from two seeds (mulberry32). */
export function randomOf(seed, number) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random, count) => Math.floor(random() * count);
export const oneOf = (random, list) => list[below(random, list.length)];

/** How many changes: most often one, as a second one is hidden behind what the first is refused for. */
const few = (random, most) => (random() < 0.6 ? 1 : 1 + below(random, most));

const VALUES = [
  ...[null, true, "", "x", 0, -1, 1e308, 2 ** 53, 0.5, [], {}, [[]], "__proto__", "constructor", "../../etc/passwd"],
  ...["/etc/passwd", "\u001b[2J\u0007", "\u0000", "ü".repeat(300), "a".repeat(70_000), 1_000_000, 4_294_967_296, "NaN"],
];
const TEXTS = [
  ...[
    "NaN",
    "-Infinity",
    "1e999",
    "-1",
    "0",
    "null",
    "[",
    "{",
    "]",
    "}",
    '"',
    "\\",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!js/x ",
  ],
  ...[
    "\t",
    "\n\n",
    "\u0000",
    "\u001b]0;x\u0007",
    "<script>",
    "999999999999999999999",
    "%",
    "<<: *a\n",
    "---\n",
    "\ufeff",
  ],
  ...["[".repeat(3000), "? ".repeat(500), '{"a":'.repeat(3000), "x".repeat(100_000), '\\"'.repeat(50_000)],
];

/** Replace values, remove and add keys, anywhere in plain data, its root among them. */
export function changeValue(random, value) {
  const root = { value };
  for (let count = few(random, 3); count > 0; count--) {
    const places = [];
    const walk = (node) => {
      if (typeof node !== "object" || node === null) return;
      for (const key of Object.keys(node).slice(0, 3000)) {
        places.push([node, key]);
        walk(node[key]);
      }
    };
    walk(root);
    const [node, key] = oneOf(random, places);
    const isRoot = node === root;
    const how = random();
    if (how < 0.6 || (isRoot && how < 0.85)) node[key] = oneOf(random, VALUES);
    else if (how < 0.75) delete node[key];
    else if (how < 0.85) copyTo(node, oneOf(random, ["x", "__proto__x", "0", "length"]), node[key]);
    else if (Array.isArray(node[key]) && node[key].length > 0)
      node[key] = Array.from({ length: 3000 }, (_, i) => structuredClone(node[key][i % node[key].length]));
    else node[key] = [node[key]];
  }
  return root.value;
}

/** A list has no key of its own called length that could be anything else. */
function copyTo(node, name, value) {
  if (Array.isArray(node) && name === "length") node.push(structuredClone(value));
  else node[name] = structuredClone(value);
}

function changeBytes(random, bytes) {
  let out = Buffer.from(bytes);
  for (let count = few(random, 8); count > 0 && out.length > 0; count--) {
    const at = below(random, out.length);
    const how = random();
    if (how < 0.5) out[at] = oneOf(random, [0, 1, 0x7f, 0x80, 0xff, below(random, 256)]);
    else if (how < 0.6) out = out.subarray(0, at);
    else if (how < 0.7) out = Buffer.concat([out.subarray(0, at), out.subarray(below(random, out.length))]);
    else if (how < 0.8)
      out = Buffer.concat([out.subarray(0, at), Buffer.alloc(below(random, 64), at), out.subarray(at)]);
    else out.fill(oneOf(random, [0, 0xff]), at, Math.min(at + 8, out.length));
  }
  return out;
}

function changeText(random, bytes) {
  let text = Buffer.from(bytes).toString("utf8");
  for (let count = few(random, 4); count > 0; count--) {
    const at = below(random, text.length + 1);
    const how = random();
    const token = oneOf(random, TEXTS);
    const next = /-?\d+(\.\d+)?/g;
    next.lastIndex = at;
    const number = next.exec(text);
    if (how < 0.35 && number) {
      const { index, 0: found } = number;
      text = text.slice(0, index) + token + text.slice(index + found.length);
    } else if (how < 0.6) text = text.slice(0, at) + token + text.slice(at);
    else if (how < 0.7) text = text.slice(0, at);
    else {
      const lines = text.split("\n");
      const line = below(random, lines.length);
      if (how < 0.85) lines.splice(line, 1 + below(random, 3));
      else lines.splice(line, 0, ...lines.slice(below(random, lines.length)));
      text = lines.join("\n").slice(0, 8_000_000);
    }
  }
  return Buffer.from(text);
}

/** A safetensors file whose header was changed as JSON, with the right length. */
function changeHeader(random, bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const entries = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  const texts = entries.__metadata__ ?? {};
  const key = oneOf(random, Object.keys(texts));
  if (key !== undefined && random() < 0.6)
    texts[key] = /^[[{]/.test(texts[key])
      ? JSON.stringify(changeValue(random, JSON.parse(texts[key])))
      : oneOf(random, TEXTS);
  else changeValue(random, entries);
  const header = Buffer.from(JSON.stringify(entries));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([size, header, bytes.subarray(8 + length)]);
}

/** Something else in a file's place. */
function replaceFile(random, path) {
  rmSync(path);
  const how = below(random, 7);
  if (how === 0) mkdirSync(path);
  else if (how === 1) execFileSync("mkfifo", [path]);
  else if (how === 2) symlinkSync(oneOf(random, ["/etc/passwd", "/dev/zero", "/nowhere", path, "/"]), path);
  else if (how === 3) writeFileSync(path, "");
  else if (how === 4) {
    writeFileSync(path, "x");
    truncateSync(path, oneOf(random, [2 ** 20 + 1, 2 ** 31, 2 ** 36])); // sparse
  } else if (how === 5) writeFileSync(path, "[".repeat(1_000_000));
  // else it is missing
}

/** Change the file in one way or another; returns what was done. */
export function mutate(random, path) {
  if (process.platform !== "win32" && random() < 0.04) {
    replaceFile(random, path);
    return "replaced";
  }
  const bytes = readFileSync(path);
  const isText = /\.(json|jsonl|ya?ml|txt|csv|xml|lock)$|[/\\](best|last)$/.test(path);
  const how = random();
  if (path.endsWith(".safetensors") && how < 0.5 && bytes.length > 8) {
    writeFileSync(path, changeHeader(random, bytes));
    return "header";
  }
  if (path.endsWith(".json") && how < 0.5) {
    writeFileSync(path, JSON.stringify(changeValue(random, JSON.parse(bytes.toString("utf8")))));
    return "values";
  }
  if (path.endsWith(".jsonl") && how < 0.5) {
    const lines = bytes.toString("utf8").split("\n");
    const at = below(random, lines.length);
    if (lines[at]) lines[at] = JSON.stringify(changeValue(random, JSON.parse(lines[at])));
    writeFileSync(path, lines.join("\n"));
    return "values";
  }
  writeFileSync(path, isText && how < 0.9 ? changeText(random, bytes) : changeBytes(random, bytes));
  return isText && how < 0.9 ? "text" : "bytes";
}
