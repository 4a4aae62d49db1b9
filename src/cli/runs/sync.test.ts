import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { until } from "../../../tests/support/wandbRun.ts";
import { startWandbServer, type WandbServer } from "../../../tests/support/wandbServer.ts";
import { formatRecipe } from "../../recipe/load.ts";
import { readMetrics, TIMING_FIELDS } from "../../run/records/metricsFile.ts";
import { runIdentity } from "../../track/wandb/folder/identity.ts";
import { historyRows } from "../../track/wandb/folder/rows.ts";

const KEY = "fedcba9876543210fedcba9876543210fedcba98";

let dir: string;
let server: WandbServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cli-sync-"));
  await tinyDataset(join(dir, "data"));
  server = await startWandbServer({ key: KEY });
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** A recipe file for the tiny run at W&B. */
async function recipeFor(epochs: number, mode: "online" | "offline"): Promise<string> {
  const path = join(dir, `${mode}-${epochs}.yaml`);
  const changes = { train: { epochs }, track: { every_steps: 1, wandb: { project: "forest", mode } } };
  await writeFile(path, formatRecipe(tinyRecipe(join(dir, "data"), changes)));
  return path;
}

/** Start the command line, with the server as W&B. */
function start(words: string[], environment: Record<string, string> = {}) {
  const env = { ...process.env, WANDB_BASE_URL: server.url, WANDB_API_KEY: KEY, ...environment };
  const child = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", ...words], { env });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const done = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  return { child, done };
}

const withoutTimes = (rows: Record<string, unknown>[]) =>
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).filter(
        ([key]) => !["_runtime", "_timestamp", ...TIMING_FIELDS.map((name) => `train/${name}`)].includes(key),
      ),
    ),
  );

/** Every row of metrics.jsonl is at the server, once and in order; what measures time may be that of an earlier attempt. */
async function expectWhole(run: string) {
  const { id } = await runIdentity(run);
  const rows = historyRows(await readMetrics(join(run, "metrics.jsonl")));
  const numbers = server.history(id).map((row) =>
    // what is no number, such as a picture, is not in metrics.jsonl
    Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value === "number")),
  );
  expect(withoutTimes(numbers)).toEqual(withoutTimes(rows));
  expect(server.state.changedLines).toEqual([]);
  return { id, rows };
}

test("a run that is killed and resumed is one run at W&B, in which no step is missing and none is there twice", async () => {
  const run = join(dir, "killed");
  const first = start(["--recipe", await recipeFor(15, "online"), "--run", run]);
  const id = await untilKnown(run);
  await until(() => (server.state.runs[id]?.files["wandb-history.jsonl"]?.length ?? 0) > 0, "rows", 60_000);
  first.child.kill("SIGKILL");
  expect((await first.done).code).toBeNull();
  expect(server.state.runs[id]).toMatchObject({ complete: false });
  const resumed = await start(["resume", run, "--json"]).done;
  expect(resumed).toMatchObject({ code: 0 });
  expect(JSON.parse(resumed.out)).toMatchObject({ status: "done" });
  const whole = await expectWhole(run);
  expect(whole.id).toBe(id);
  expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0, upserts: 2 });
  expect(Object.keys(server.state.runs)).toEqual([id]);
  expect(resumed.err).toContain(`/test-entity/forest/runs/${id}`);
  // The pictures of the evaluations are there, as far as their rows name them.
  const named = server.history(id).flatMap((row) => Object.values(row).filter((value) => typeof value === "object"));
  expect(named.length).toBeGreaterThan(0);
  for (const picture of named as { path: string }[])
    expect(server.state.uploads[`${id}/${picture.path}`]?.length ?? 0, picture.path).toBeGreaterThan(0);
  for (const name of ["log.jsonl", "recipe.yaml", "metrics.jsonl", "wandb.json"])
    expect(await readFile(join(run, name), "utf8")).not.toContain(KEY);
});

/** The run's id at W&B, as soon as it has one. */
async function untilKnown(run: string): Promise<string> {
  let text = "";
  await until(
    () => {
      readFile(join(run, "wandb.json"), "utf8").then(
        (found) => {
          text = found;
        },
        () => {},
      );
      return text !== "";
    },
    "the run's id",
    60_000,
  );
  return (JSON.parse(text) as { id: string }).id;
}

test("an offline run asks nothing of the server; sync sends it, and says what stands in the way", async () => {
  const run = join(dir, "offline");
  const before = server.requests.length;
  const trained = await start(["--recipe", await recipeFor(2, "offline"), "--run", run]).done;
  expect(trained).toMatchObject({ code: 0 });
  expect(trained.out).toContain(`This run waits to be sent to W&B. Send it with: rfdetr-train sync ${run}`);
  expect(server.requests.length).toBe(before);

  const refused = await start(["sync", run], { WANDB_API_KEY: "wrong" }).done;
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toContain("W&B does not let this program in: the API key is not valid.\nHint: ");
  const none = await start(["sync", run], { WANDB_API_KEY: "", HOME: dir }).done;
  expect(none).toMatchObject({ code: 2, err: expect.stringContaining("there is no API key") });
  expect(await start(["sync", join(dir, "nothing")]).done).toMatchObject({ code: 2, out: "" });

  const sent = await start(["sync", run, "--json"]).done;
  expect(sent).toMatchObject({ code: 0, err: "" });
  const { id, rows } = await expectWhole(run);
  const page = `${server.url}/test-entity/forest/runs/${id}`;
  expect(JSON.parse(sent.out)).toEqual({ page, id, rows: rows.length, sent: rows.length, ended: true });
  expect(server.state.runs[id]).toMatchObject({ complete: true, exitCode: 0 });
  const again = await start(["sync", run]).done;
  expect(again).toMatchObject({ code: 0, out: `W&B had everything already: ${page}.\n`, err: "" });
});

test("sync --wandb-file writes what W&B's own program sends, and asks nothing of the server", async () => {
  const run = join(dir, "file");
  expect(await start(["--recipe", await recipeFor(1, "offline"), "--run", run]).done).toMatchObject({ code: 0 });
  const before = server.requests.length;
  const written = await start(["sync", run, "--wandb-file", "--json"]).done;
  expect(written).toMatchObject({ code: 0, err: "" });
  const { file } = JSON.parse(written.out) as { file: string };
  expect((await readFile(file)).subarray(0, 4).toString()).toBe(":W&B");
  expect(server.requests.length).toBe(before);
});
