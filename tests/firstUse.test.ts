// A first user's way: the README's own commands, on pictures of their own, with the installed package, as they come to a terminal
// of 60 and of 80 columns and through a pipe.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installed, installPackage } from "./support/installed.ts";
import "./support/launcher.ts"; // dist is up to date
import { inTerminal, requireTerminal, screenAfter } from "./support/terminal.ts";

const CLASSES = ["kreis", "quadrat", "dreieck-größe"];
const SHAPES = [
  `<circle cx="8" cy="8" r="8" fill="red"/>`,
  `<rect width="16" height="16" fill="lime"/>`,
  `<path d="M0 16h16L8 0z" fill="blue"/>`,
];

let installed: Installed;
beforeAll(async () => {
  installed = await installPackage();
  for (const [split, ids] of [["train", [0, 20]], ["valid", [20, 26]]] as const) // biome-ignore format: one line
    await drawShapes(join(installed.project, "shapes", split), ids);
}, 300_000);
afterAll(() => installed.remove());

/** Pictures with a shape of each class, and their boxes in COCO form. */
async function drawShapes(folder: string, [from, to]: readonly [number, number]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const ids = Array.from({ length: to - from }, (_, i) => from + i);
  const images = ids.map((id) => ({ id, file_name: `bild ${id}.jpg`, width: 96, height: 72 }));
  const annotations = images.flatMap(({ id }) =>
    CLASSES.map((_, c) => ({
      ...{ id: 3 * id + c, image_id: id, category_id: c + 1, area: 256, iscrowd: 0 },
      bbox: [(31 * id + 29 * c) % 80, (17 * id + 23 * c) % 56, 16, 16],
    })),
  );
  for (const { id, file_name: name } of images) {
    const shapes = annotations.filter(({ image_id: of }) => of === id).map(({ bbox: [x, y] }, c) => `<g transform="translate(${x} ${y})">${SHAPES[c]}</g>`); // biome-ignore format: one line
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="72"><rect width="96" height="72" fill="#998877"/>${shapes.join("")}</svg>`;
    await sharp(Buffer.from(svg)).jpeg().toFile(join(folder, name));
  }
  const categories = CLASSES.map((name, i) => ({ id: i + 1, name }));
  await writeFile(join(folder, "_annotations.coco.json"), JSON.stringify({ images, annotations, categories }));
}

/** Smaller than anybody's training, so that a test has time for it. */
const SMALL = ["train.epochs=1", "model.resolution=64"].map((set) => ` --set ${set}`).join("");

/** The commands of the README's section about own data, for the pictures here and without weights to download. */
async function readmeCommands(): Promise<string[]> {
  const readme = await readFile(join(installed.packed, "README.md"), "utf8");
  const [, block] = /## Your own data\n\n```sh\n([^`]+)```/.exec(readme)!;
  const lines = block!
    .trim()
    .split("\n")
    .filter((line) => line.startsWith("npx rfdetr-train"));
  return lines.map((line) => {
    const own = line.replace("recipes nano", "recipes quickstart").replace("FOLDER", "../shapes");
    const shown = own.replace("PHOTOS", "../shapes/valid");
    return shown + (shown.includes(" --recipe ") ? SMALL : "") + (shown.includes(" check ") ? " --no-cost" : "");
  });
}

type Shown = { code: number; text: string };

/** Each command's exit code and output through a pipe, both streams in one. */
function piped(command: string, cwd: string): Promise<Shown> {
  const child = spawn("sh", ["-c", `${command} 2>&1`], { cwd, env: { ...process.env, npm_config_offline: "true" } });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  return new Promise((done) => child.on("close", (code) => done({ code: code ?? -1, text })));
}

/** Lines of what a command says in the end, without what passes: progress, and figures. */
function lasting(text: string): string[] {
  const passing = /^(epoch \d+\/|\d+ of \d+ images|Measuring a step)/;
  const lines = text
    .trimEnd()
    .split("\n")
    .filter((line) => !passing.test(line));
  return lines.map((line) =>
    line
      .trimEnd()
      .replaceAll(/[\d•│┤]+(\.\d+)?(e-\d+)?/g, "#")
      .replaceAll(/ +/g, " "),
  );
}

const BAR = /[█░]/;
const STEERING = new RegExp(`\u001b|${BAR.source}`);

test("the README's commands do what it says, and a terminal of any width shows what a pipe gets", async (context) => {
  requireTerminal(context);
  const commands = await readmeCommands();
  expect(commands.map((line) => line.split(" ")[2])).toEqual(["recipes", "check", "--recipe", "predict"]);
  const expected: string[][] = [];
  const work = join(installed.project, "piped");
  await mkdir(work);
  for (const command of commands) {
    const { code, text } = await piped(command, work);
    expect({ command, code, text }).toEqual({ command, code: 0, text }); // shows the text where it fails
    expect(text).not.toMatch(STEERING);
    expected.push(lasting(text));
  }
  expect(expected[1]!.join("\n")).toMatch(
    /\ntrain # # # #\n(.*\n)+.*# # dreieck-größe train #, val #\n(.*\n)+Ready to train\.$/,
  );
  expect(expected[2]!.join("\n")).toMatch(/\nDone after # steps, best AP#:# #\. Everything is in checkpoints\/mine/);
  expect(expected[3]!.join("\n")).toMatch(/\n# images: .*; # ms an image\n(.*\n)*Results: found\/predictions\.json\n/);

  for (const columns of [60, 80]) {
    const folder = join(installed.project, String(columns));
    await mkdir(folder);
    for (const [i, command] of commands.entries()) {
      const path = `${join(installed.project, "node_modules", ".bin")}:${process.env.PATH}`; // as npx has it
      const line = `cd '${folder}' && PATH='${path}' && ${command.replace(/^npx /, "")}`;
      const { code, sent } = await inTerminal(["sh", "-c", line], { columns });
      expect({ command, columns, code, sent }).toEqual({ command, columns, code: 0, sent });
      const { lines } = screenAfter(sent, Number.POSITIVE_INFINITY);
      expect(lasting(lines.join("\n"))).toEqual(expected[i]);
      const wrapped = lines.flatMap((text) => text.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [""]);
      expect(screenAfter(sent, columns).lines).toEqual(wrapped);
      const drawn = sent.split(/[\r\n]/).filter((part) => BAR.test(part));
      for (const part of drawn) expect(stripVTControlCharacters(part).length).toBeLessThan(columns);
      if (i === 2) expect(drawn.length).toBeGreaterThan(2);
    }
  }

  for (const name of ["piped", "60", "80"]) {
    const files = ["recipe.yaml", "metrics.jsonl", "results.csv", "report.html", "model.onnx", "checkpoints/best"];
    const run = join(installed.project, name, "checkpoints", "mine");
    expect(files.filter((file) => !existsSync(join(run, file)))).toEqual([]);
    const found = await readdir(join(installed.project, name, "found"));
    expect(found.sort()).toEqual([...[20, 21, 22, 23, 24, 25].map((id) => `bild ${id}.jpg`), "predictions.json"]);
  }
}, 300_000);
