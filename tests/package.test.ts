// What a user gets who installs the packed program: what is in it, and that its launcher does from there what it does in a clone.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installed, installPackage } from "./support/installed.ts";
import { launch } from "./support/launcher.ts";

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

let installed: Installed;
let project: string;
let packed: string;
let files: string[];
beforeAll(async () => {
  installed = await installPackage();
  ({ project, packed, files } = installed);
}, 300_000);
afterAll(() => installed.remove());

const start = (...words: string[]) =>
  launch(words, { cwd: project, launcher: join(packed, "bin", "rfdetr-train.mjs"), env: { ...process.env, CI: "1" } });

describe("the package", () => {
  test("has program, recipes, data, manual and examples, and no tests", () => {
    const wanted = ["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "bin/rfdetr-train.mjs", "setup/pins.json"];
    const documents = ["README.md", "docs/commands.md", "docs/recipe.md", "datasets/README.md", "ARCHITECTURE.md"];
    const others = ["recipes/quickstart.yaml", "datasets/trees/LICENSE", "examples/node-onnxruntime/detect.js"];
    expect([...wanted, ...documents, ...others].filter((path) => !files.includes(path))).toEqual([]);
    expect(
      files.filter((path) => /(^|\/)(tests|(?<!trees\/)test|fixtures)\/|\.test\.|testZip|\.map$/i.test(path)),
    ).toEqual([]);
  });

  test("points to no file that it lacks: source maps, and links of its documents", async () => {
    const missing: string[] = [];
    for (const path of files.filter((path) => /\.(js|mjs|ts)$/.test(path)))
      if (/^\/\/# sourceMappingURL=(?!data:)/m.test(await readFile(join(packed, path), "utf8"))) missing.push(path);
    for (const path of files.filter((path) => path.endsWith(".md")))
      for (const [, link] of (await readFile(join(packed, path), "utf8")).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (path === "docs/parity.md" && /^\.\.\/(src|tests)\//.test(link!)) continue; // it says that a clone has them
        if (!/^https?:/.test(link!) && !existsSync(join(packed, dirname(path), link!)))
          missing.push(`${path} -> ${link}`);
      }
    expect(missing).toEqual([]);
  });

  test("compiles in a strict program that checks the types of its libraries, too", async () => {
    const program = `import { loadDetector, loadRecipe, type Picture, predict, type RecipeInput, train } from "rfdetr-train";
      export async function find(picture: Picture): Promise<string[]> {
        const detector = await loadDetector("mine", { threshold: 0.4 });
        const [one] = await detector.detect([picture, Buffer.alloc(9)], { classes: ["tree"] });
        return [...one!, ...(await detector.detect(picture))].map(({ name }) => name);
      }
      const input: RecipeInput = { data: { dir: "mine" } };
      console.log(loadRecipe, predict, train, input);`;
    await writeFile(join(project, "program.mts"), program);
    const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
    const target = ["--module", "nodenext", "--target", "es2023", "--types", "node"];
    const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const done = await run(process.execPath, [compiler, ...options, ...target, "program.mts"], { cwd: project }).catch(
      (error) => error,
    );
    expect(done.stdout).toBe("");
  });
});

describe("the launcher of the package", { timeout: 300_000 }, () => {
  test("prints a shipped recipe, and takes one by its name", async () => {
    const { code, out } = await start("recipes", "quickstart");
    const [editors, ...text] = out.split("\n");
    expect({ code, text: text.join("\n") }).toEqual({
      code: 0,
      text: await readFile(join(ROOT, "recipes/quickstart.yaml"), "utf8"),
    });
    const [, schema] = /^# yaml-language-server: \$schema=(?:file:\/\/)?(.+)$/.exec(editors!)!;
    const { properties } = JSON.parse(await readFile(resolve(project, schema!), "utf8"));
    expect(properties.train.properties.lr).toMatchObject({ default: 1e-4, description: expect.any(String) });
    await writeFile(join(project, "mine.yaml"), out);
    expect((await start("check", "--recipe", "mine.yaml", "--no-cost")).code).toBe(0);
    const checked = await start("check", "--recipe", "quickstart", "--no-cost");
    expect(checked).toMatchObject({ code: 0, out: expect.stringContaining("Ready to train") });
    const other = await start("check", "--recipe", "recipes/staged.yaml", "--no-cost", "--set", "weights=none");
    expect(other.code, other.err).toBe(0);
    expect((await start("check", "--recipe", "quikstart")).err).toMatch(/Did you mean "quickstart"/);
  });

  test("says what to do where it cannot be loaded: too few open files, a package that is gone", async () => {
    const limited = `ulimit -n 24; exec "$0" "$@"`;
    const words = ["-c", limited, process.execPath, join(packed, "bin", "rfdetr-train.mjs"), "--version"];
    const few = await run("sh", words, { cwd: project }).catch((error) => error);
    expect(few).toMatchObject({ code: 2, stderr: expect.stringMatching(/too many.*open files.*\nHint: .*ulimit/s) });
    await rm(join(project, "node_modules", "yargs"));
    const gone = await start("--version");
    await symlink(join(ROOT, "node_modules", "yargs"), join(project, "node_modules", "yargs"));
    expect(gone).toMatchObject({ code: 2, err: expect.stringMatching(/'yargs'.*\nHint: Install/s) });
  });

  test("trains, predicts and reports", async () => {
    const sets = [
      "train.epochs=1",
      "train.max_steps=1",
      "export.onnx=false",
      "data.batch_size=2",
      "model.resolution=64",
    ];
    const words = ["--recipe", "quickstart", "--run", "mine", ...sets.flatMap((set) => ["--set", set])];
    const trained = await start(...words);
    expect(trained.code, trained.err).toBe(0);
    await copyFile(join(ROOT, "tests/fixtures/images/photo.jpg"), join(project, "photo.jpg"));
    await writeFile(join(project, "broken.jpg"), "no picture");
    const predicted = await start(
      "predict",
      "--weights",
      "mine",
      "--images",
      "photo.jpg",
      "broken.jpg",
      "--out",
      "found",
    );
    expect(predicted).toMatchObject({ code: 2, out: expect.stringContaining("1 could not be read: broken.jpg") });
    await rm(join(project, "mine", "report.html"), { force: true });
    expect((await start("report", "mine")).code).toBe(0);
    expect(existsSync(join(project, "mine", "report.html"))).toBe(true);
  });
});
