// Suspects for pages: as many as are asked for, of every kind, with crops that are noise.

import sharp from "sharp";
import type { SuspectRecord, SuspectsPageData, SuspectsRecord } from "../../src/report/suspects/suspectsRecord.ts";
import { rngFromSeed } from "../../src/util/random/rng.ts";

const KINDS = ["missing", "class", "place", "double"] as const;

export async function someSuspects(
  count: number,
  { classes = ["ant", "bee", "cat"], side = 160, quality = 50 }: { classes?: readonly string[]; side?: number; quality?: number } = {}, // biome-ignore format: one line
): Promise<{ record: SuspectsRecord; crops: SuspectsPageData["crops"] }> {
  const rng = rngFromSeed(count);
  const noise = Uint8Array.from({ length: 3 * side * side }, () => 100 + rng.int(70));
  const jpeg = (await sharp(noise, { raw: { width: side, height: side, channels: 3 } }).jpeg({ quality }).toBuffer()).toString("base64"); // biome-ignore format: one line
  const box = (): [number, number, number, number] => [10 + rng.int(60), 10 + rng.int(60), 20 + rng.int(40), 20 + rng.int(40)]; // biome-ignore format: one line
  const suspects = Array.from({ length: count }, (_, i): SuspectRecord => {
    const kind = KINDS[i % KINDS.length]!;
    const [own, other] = [classes[i % classes.length]!, classes[(i + 1) % classes.length]!];
    const label = { index: 0, id: i, class: own, bbox: box() };
    return {
      ...{ id: i + 1, kind, score: 1 - i / count, split: "train", image_id: i, file_name: `pictures/${i}.jpg` },
      ...(kind !== "missing" && { label }),
      ...(kind === "double" && { other: { ...label, index: 1, bbox: box() } }),
      ...(kind !== "double" && { found: { class: kind === "place" ? own : other, bbox: box(), score: 0.9 } }),
    };
  });
  const record: SuspectsRecord = {
    format: 1,
    made: { weights: "checkpoints/mine", sha256: "0".repeat(64), program: "rfdetr-train", date: "2026-01-01" },
    data: { description: "COCO in data", fingerprint: "0".repeat(64) },
    suspects,
  };
  const crops = suspects.map(() => ({ left: 0, top: 0, width: side, height: side, jpeg, near: [box(), box()] }));
  return { record, crops };
}
