import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Dataset } from "./dataset.ts";
import { contentFingerprint, datasetFingerprint } from "./fingerprint.ts";

test("a byte at either end of an image counts for the content, and only its size for the data's fingerprint", async () => {
  const dir = mkdtempSync(join(tmpdir(), "fingerprint-"));
  const paths = [10, 4096, 4097, 8192, 20_000].map((size) => {
    const path = join(dir, `${size}.png`);
    writeFileSync(path, Buffer.alloc(size, 7));
    return path;
  });
  const samples = paths.map((path, i) => ({ imageId: i, file: path, path, width: 1, height: 1, annotations: [] }));
  const train = { name: "train", images: dir, annotations: "", samples, reading: {} } as const;
  const dataset: Dataset = { layout: "coco", description: "", classes: [], splits: { train }, problems: [] };
  const [content, fingerprint] = [await contentFingerprint(dataset), await datasetFingerprint(dataset)];
  const seen = new Set([content]);
  for (const path of paths)
    for (const place of [0, -1]) {
      const before = readFileSync(path);
      const after = Buffer.from(before);
      after[place < 0 ? after.length - 1 : 0] = 8;
      writeFileSync(path, after);
      seen.add(await contentFingerprint(dataset));
      expect(await datasetFingerprint(dataset)).toBe(fingerprint);
      writeFileSync(path, before);
    }
  expect(seen.size).toBe(11);
  expect(await contentFingerprint(dataset)).toBe(content);
  rmSync(paths[0]!);
  expect(await contentFingerprint(dataset)).not.toBe(content);
});
