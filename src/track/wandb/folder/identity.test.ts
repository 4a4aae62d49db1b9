import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runIdentity } from "./identity.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "identity-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("an identity is made once, and later calls find it", async () => {
  const made = await runIdentity(dir);
  expect(made.id).toMatch(/^[a-z0-9]{8}$/);
  expect(made.artifactIds.sequence).toMatch(/^[a-z0-9]{128}$/);
  expect(made.artifactIds.version).not.toBe(made.artifactIds.sequence);
  expect(await runIdentity(dir)).toEqual(made);
  expect(await readdir(dir)).toEqual(["wandb.json"]);
});

test("two runs have two identities", async () => {
  const other = join(dir, "other");
  expect((await runIdentity(dir)).id).not.toBe((await runIdentity(other)).id);
});

test.each(["", "{", "null", '{"id":"../../ab"}', '{"id":"abcd1234"}'])(
  "a file that holds %j is named and left as it is",
  async (text) => {
    await writeFile(join(dir, "wandb.json"), text);
    await expect(runIdentity(dir)).rejects.toThrow(/wandb\.json does not hold the identity/);
    expect(await readFile(join(dir, "wandb.json"), "utf8")).toBe(text);
  },
);
