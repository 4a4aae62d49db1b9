import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Timed, takeTurns } from "./rounds.ts";

let folder: string;
/** Pictures 10, 11, 12 pixels wide. */
let paths: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rounds-"));
  paths = await Promise.all(
    [10, 11, 12].map(async (width) => {
      const path = join(folder, `${width}.png`);
      const background = { r: width, g: 0, b: 0 };
      await sharp({ create: { width, height: 7, channels: 3, background } })
        .png()
        .toFile(path);
      return path;
    }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Writes down what it is given; its forward pass blocks the thread for some milliseconds, as a real one does. */
function recorder(name: string, log: string[], { busy = 0, side = 4 } = {}): Timed {
  return {
    resolution: side,
    forward: async (pixels, sizes) => {
      expect(pixels).toHaveLength(sizes.length * side * side * 3);
      expect(sizes.map(([height]) => height)).toEqual(Array(sizes.length).fill(7));
      log.push(`${name} ${sizes.map(([, width]) => width).join()}`);
      for (const [i, [, width]] of sizes.entries())
        expect(pixels[i * side * side * 3]).toBeCloseTo((width / 255 - 0.485) / 0.229, 5); // each picture its own red
      for (const end = performance.now() + busy; performance.now() < end; );
    },
    select: () => [],
  };
}

const OPTIONS = { batchSize: 2, rounds: 3, warmUp: 1, prefetch: false };

it.each([false, true])(
  "gives both the same images and turns their order every round (prefetch %s)",
  async (prefetch) => {
    const log: string[] = [];
    const rounds: number[] = [];
    const turns = await takeTurns([recorder("a", log), recorder("b", log)], {
      ...{ ...OPTIONS, paths, prefetch },
      onRound: (done, all) => rounds.push(done, all),
    });
    expect(log).toEqual(["a 10,11", "b 10,11", "b 12,10", "a 12,10", "a 11,12", "b 11,12", "b 10,11", "a 10,11"]);
    expect(turns.map(({ length }) => length)).toEqual([3, 3]); // the warm-up left out
    expect(rounds).toEqual([1, 4, 2, 4, 3, 4, 4, 4]);
  },
);

it("times each stage, and the stages make up the whole", async () => {
  const [turns] = await takeTurns([recorder("a", [], { busy: 20 })], { ...OPTIONS, paths });
  for (const { total, stages, processor } of turns!) {
    expect(processor).toBeGreaterThan(1);
    expect(Object.keys(stages)).toEqual(["read", "decode", "resize", "forward", "postprocess"]);
    expect(stages.forward).toBeGreaterThanOrEqual(20);
    expect(Math.abs(total - Object.values(stages).reduce((a, b) => a + b))).toBeLessThan(1);
  }
});

it("with prefetch the images are ready before a slow model is", async () => {
  const big = join(folder, "big.jpg"); // takes some time to decode
  await sharp({ create: { width: 3000, height: 7, channels: 3, background: { r: 0, g: 0, b: 0 } } })
    .resize(2500, 2500, { fit: "fill" })
    .jpeg()
    .toFile(big);
  const model: Timed = {
    resolution: 64,
    forward: async () => {
      for (const end = performance.now() + 300; performance.now() < end; );
    },
    select: () => [],
  };
  const options = { ...OPTIONS, batchSize: 1, paths: [big] };
  const [ahead] = await takeTurns([model], { ...options, prefetch: true });
  const [plain] = await takeTurns([model], options);
  for (const { stages } of ahead!) expect(Object.keys(stages)).toEqual(["forward", "postprocess", "wait"]);
  const waits = ahead!.map(({ stages }) => stages.wait!).sort((a, b) => a - b);
  const decodes = plain!.map(({ stages }) => stages.decode!).sort((a, b) => a - b);
  expect(waits[0]).toBeLessThan(decodes[0]!); // the model held this thread, and yet they were decoded meanwhile
});

it.each([false, true])("names an image that cannot be read (prefetch %s)", async (prefetch) => {
  const broken = join(folder, "broken.png");
  await writeFile(broken, "no picture");
  const log: string[] = [];
  const run = (path: string) => takeTurns([recorder("a", log)], { ...OPTIONS, paths: [paths[0]!, paths[1]!, path], prefetch }); // biome-ignore format: one line
  await expect(run(broken)).rejects.toThrow(/broken\.png cannot be read as an image/);
  await expect(run(join(folder, "none.png"))).rejects.toThrow(/Cannot read .*none\.png: no such file/);
  expect(log).toContain("a 10,11"); // the images before it were measured
});

it("stops between two rounds when it is told to", async () => {
  const controller = new AbortController();
  const log: string[] = [];
  const run = takeTurns([recorder("a", log)], {
    ...{ ...OPTIONS, paths, rounds: 100, signal: controller.signal },
    onRound: (done) => done === 2 && controller.abort(new Error("enough")),
  });
  await expect(run).rejects.toThrow("enough");
  expect(log).toHaveLength(2);
});
