import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LAUNCHER, launch } from "../../tests/support/launcher.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cli-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...words: string[]) => launch(words);

it("help and version come without loading what the commands need", async () => {
  const help = await run("--help");
  expect(help.code).toBe(0);
  for (const word of ["--recipe", "resume <dir>", "check", "recipes [name]", "convert"])
    expect(help.out).toContain(word);
  const version = await run("--version");
  expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

it("what a person can mend gives code 2, one message and no stack", async () => {
  const bad = join(folder, "bad.yaml");
  await writeFile(bad, "data: { dir: d }\ntrain:\n  epoch: 3\n");
  const cases: [string[], string][] = [
    [[], "--recipe FILE is missing"],
    [["evalaute"], 'There is no command "evalaute".'],
    [["recieps"], 'There is no command "recieps". Did you mean "recipes"?'],
    [["--recpie", "x"], "Unknown argument: --recpie. Did you mean --recipe?"],
    [["--recipe"], "Not enough arguments following: recipe"],
    [["--recipe", join(folder, "none.yaml")], "There is no recipe"],
    [["--recipe", bad], `${bad}:3:3: unknown key train.epoch. Did you mean epochs?`],
    [["check", "--recipe", "recipes/quickstart.yaml", "--transforms"], "--transforms needs a folder for its pictures"],
    [["check", "--recipe", bad], `${bad}:3:3: unknown key train.epoch.`],
    [["--recipe", "recipes/quickstart.yaml", "--overfit", "0"], "--overfit is 0"],
    [["--recipe", "recipes/quickstart.yaml", "--device", "tpu"], "Choices"],
    [["--recipe", "recipes/quickstart.yaml", "--set", "train.lr=fast"], '--set train.lr=fast: train.lr is "fast"'],
    [["check", "--recipe", "recipes/nano.yaml", "--set", "data.dir=/none"], "/none"],
    [["check", "--recipe", "recipes/quickstart.yaml", "--set", "model.sa_nheads=7"], "model.sa_nheads is 7"],
    [["check", "--recipe", "recipes/quickstart.yaml", "--set", "weights=rf-detr-nanoo"], "Did you mean rf-detr-nano?"],
    [
      ["check", "--recipe", "recipes/staged.yaml", "--set", "train.stages.1.train=[head]"],
      'train.stages[1].train: "head" matches no weights. Did you mean heads?',
    ],
    [["recipes", "quickstrat"], 'Did you mean "quickstart"?'],
  ];
  for (const [words, message] of cases) {
    const { code, out, err } = await run(...words);
    expect({ words, code, out }).toEqual({ words, code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
  }
});

it("a command line that lacks something, or says it otherwise, is answered with the one that was meant", async () => {
  const cases: [string[], string, string][] = [
    [
      ["mine.yaml"],
      'There is no command "mine.yaml"; a recipe is given with --recipe.',
      "rfdetr-train --recipe mine.yaml",
    ],
    [["train", "mine.yaml"], "train takes its recipe with --recipe.", "rfdetr-train train --recipe mine.yaml"],
    [["check", "--no-cost", "a.yml"], "check takes its recipe with --recipe.", "rfdetr-train check --recipe a.yml"],
    [["check", "--rceipe", "x"], "check needs --recipe. You wrote --rceipe; did you mean --recipe?", "check --help"],
    [["predict", "--weights", "w"], "predict needs --images.", "rfdetr-train predict --help"],
    [["convert", "RUN"], "convert needs <out>.", "rfdetr-train convert <in> <out>"],
    [["compare"], "compare needs <runA> and <runB>.", "rfdetr-train compare <runA> <runB>"],
    [["resume"], "resume needs <dir>.", "rfdetr-train resume <dir>"],
    [["recipes", "nano", "b"], "Unknown argument: b.", "rfdetr-train recipes --help"],
  ];
  for (const [words, message, hint] of cases) {
    const { code, err } = await run(...words);
    expect({ words, code, err }).toEqual({ words, code: 2, err: expect.stringContaining(message) });
    expect(err).toMatch(new RegExp(`Hint: .*${hint.replaceAll(/[.*]/g, "\\$&")}\n$`));
  }
});

it("help is a command, too, and a shell can complete commands", async () => {
  expect(await run("help")).toEqual(await run("--help"));
  expect(await run("help", "predict")).toEqual(await run("predict", "--help"));
  expect((await run("completion")).out).toContain("--get-yargs-completions");
  const { out } = await run("--get-yargs-completions", "rfdetr-train", "predict", "--");
  expect(out.split("\n")).toContain("--weights");
});

it("with --json an error is one object on stdout, with the same exit code", async () => {
  const cases: [string[], object][] = [
    [
      ["recipes", "quickstrat", "--json"],
      { message: expect.stringContaining('"quickstart"?'), hint: expect.any(String) },
    ],
    [["evaluate", "--json", "--weights", "w"], { message: "evaluate needs --data.", hint: expect.any(String) }],
    [["compare", "/none/a", "/none/b", "--json"], { message: expect.stringContaining("/none/a") }],
    [["predict", "--json=true", "--wieghts", "w"], { message: expect.any(String) }],
    [
      ["--overfit", "0", "--json", "--recipe", "recipes/quickstart.yaml"],
      { message: expect.stringContaining("--overfit is 0") },
    ],
  ];
  for (const [words, error] of cases) {
    const { code, out, err } = await run(...words);
    expect({ words, code, said: JSON.parse(out) }).toMatchObject({ words, code: 2, said: { error } });
    expect(Object.keys(JSON.parse(out).error)).toEqual(["message", "hint"]);
    expect(err).toContain(JSON.parse(out).error.message);
  }
  expect((await run("recipes", "quickstrat", "--json", "--no-json")).out).toBe("");
});

it("a name in a message never reaches the terminal as a command to it", async () => {
  const { err } = await run("recipes", "a\u001b[2J\u202eb");
  expect(err).toContain('"a\\x1b[2J\\u202eb"');
  expect(err).not.toContain("\u001b");
});

it("recipes are listed, printed and described by a schema", async () => {
  expect((await run("recipes")).out).toContain("quickstart");
  expect((await run("recipes", "quickstart")).out).toContain("variant: mini");
  const schema = JSON.parse((await run("recipes", "--schema")).out);
  expect(schema.properties.train.properties.lr.default).toBe(1e-4);
});

it("check says what is in a data set, for people and as JSON alone", async () => {
  const table = await run("check", "--recipe", "recipes/quickstart.yaml");
  expect(table.err).toBe("");
  expect(table.code).toBe(0);
  expect(table.out).toContain("Ready to train.");
  expect(table.out).toMatch(/ {2}1\.00 ┤ *•/); // the learning rates
  const json = JSON.parse((await run("check", "--recipe", "recipes/quickstart.yaml", "--json")).out);
  expect(json).toMatchObject({ ok: true, weights: { weights: "mini-shapes", state: "file" } });
  expect(json.schedule.points[0]).toEqual({ epoch: 0, factor: 0 });
});

it("a reader that goes away ends the output quietly", async () => {
  const child = spawn(process.execPath, [LAUNCHER, "recipes", "--schema"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let err = "";
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise((done) => child.on("exit", done));
  expect({ code, err }).toEqual({ code: 0, err: "" });
});
