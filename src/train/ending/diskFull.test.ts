import { existsSync } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { collect, expectSameRun, tinyDataset, tinyRecipe } from "../../../tests/support/tinyRun.ts";
import { RESERVE } from "../../checkpoint/store/reserve.ts";
import { listCheckpoints, verifyCheckpoint } from "../../checkpoint/store/store.ts";
import { loadBackend } from "../../engine/backend.ts";
import type { UserError } from "../../util/errors.ts";
import { resume, train } from "../run.ts";

let dir: string;
beforeAll(async () => {
  loadBackend();
  dir = await mkdtemp(join(tmpdir(), "disk-full-"));
  await tinyDataset(join(dir, "data"));
  await collect((options) => train(recipe(), { run: join(dir, "whole"), ...options }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const recipe = () =>
  tinyRecipe(join(dir, "data"), { train: { compile: "off" }, checkpoint: { every_epochs: null, every_steps: 4 } });

/** From here on nothing is written but in the room that a run's reserve has given back; bytes once written stay in use. */
async function fillDisk(run: string): Promise<void> {
  const reserve = join(run, "checkpoints", RESERVE);
  await vi.waitFor(async () => expect((await stat(reserve)).size).toBeGreaterThan(0));
  const { size } = await stat(reserve);
  let room = 0;
  let isHeld = true;
  const file = await open(join(dir, "any"), "w");
  const prototype = Object.getPrototypeOf(file);
  await file.close();
  for (const name of ["writeFile", "appendFile"] as const) {
    const real = prototype[name] as (data: Uint8Array | string) => Promise<void>;
    vi.spyOn(prototype, name).mockImplementation(async function (this: unknown, data: unknown) {
      if (isHeld && !existsSync(reserve)) [isHeld, room] = [false, size];
      room -= (data as string).length;
      if (room < 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      return real.call(this, data as string);
    });
  }
}

/** Train; after step 2 the disk is full, and `then` happens. Returns the error that ends the run. */
async function trainUntilFull(run: string, then: () => Promise<void> = async () => {}): Promise<UserError> {
  try {
    for await (const row of train(recipe(), { run }))
      if (row.step === 2) {
        await fillDisk(run);
        await then();
      }
  } catch (error) {
    return error as UserError;
  } finally {
    vi.restoreAllMocks();
  }
  throw new Error("the run did not notice its full disk");
}

test("on a full disk the next checkpoint takes the room held in reserve, no step and no row is lost, and the run says what to free", async () => {
  const run = join(dir, "run");
  const error = await trainUntilFull(run);
  expect(error.message).toMatch(/^The disk of .*checkpoints \(\/.*\) is full\. The checkpoint of step 4 took the room/);
  expect(error.hint).toMatch(/^Free \d+ MB there.* Then go on from step 4 with: rfdetr-train resume /);
  const { name, step } = (await listCheckpoints(join(run, "checkpoints"))).at(-1)!;
  expect(step).toBe(4);
  await verifyCheckpoint(join(run, "checkpoints", name));
  expect(existsSync(join(run, "checkpoints", RESERVE))).toBe(false);
  await collect((options) => resume(run, options));
  await expectSameRun(join(dir, "whole"), run);
});

test("an error on a full disk saves the last finished step in the room held in reserve", async () => {
  const run = join(dir, "other");
  const error = await trainUntilFull(run, () => rm(join(dir, "data", "train"), { recursive: true })); // something else goes wrong as well
  expect(error.message).toMatch(/images of train cannot be read|no such file/);
  const { step } = (await listCheckpoints(join(run, "checkpoints"))).at(-1)!;
  expect(step).toBeGreaterThanOrEqual(2);
  expect(error.hint).toContain(`go on from step ${step} with`);
});
