// matches.json of an evaluation: which detections find an object, image by image; what two runs are compared by with its uncertainty.

import { join } from "node:path";
import { isObject } from "../../util/untrusted/json.ts";
import { RUN_FILES } from "../files.ts";
import { readJsonObject } from "../json.ts";

/**
 * One class. `objects`: how many there are in which images. Of its detections, best first, the image, and bit t of `matched` and `ignored`:
 * whether it finds an object, or counts neither way, at the IoU thresholds 0.5, 0.55, ... 0.95.
 */
export type ClassMatches = {
  name: string;
  objects: { image: Uint32Array; count: Uint32Array };
  image: Uint32Array;
  matched: Uint16Array;
  ignored: Uint16Array;
};

/** Images by their place among all that were evaluated, `images` their files; each kind of metric by what its names begin with. */
export type Matches = { images: string[]; kinds: { prefix: string; classes: ClassMatches[] }[] };

/** The name of the file, in the folder of an evaluation's pictures. */
export const MATCHES_FILE = "matches.json";

/** Numbers as the bytes that they have in memory, in base64. */
type Packed = string;

type PackedClass = {
  name: string;
  objects: { image: Packed; count: Packed };
  image: Packed;
  matched: Packed;
  ignored: Packed;
};

/** The text of the file. */
export function packMatches({ images, kinds }: Matches): string {
  const pack = ({ buffer, byteOffset, byteLength }: Uint32Array | Uint16Array): Packed =>
    Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  const packed = kinds.map(({ prefix, classes }) => ({
    prefix,
    classes: classes.map(({ name, objects, image, matched, ignored }): PackedClass => {
      const count = { image: pack(objects.image), count: pack(objects.count) };
      return { name, objects: count, image: pack(image), matched: pack(matched), ignored: pack(ignored) };
    }),
  }));
  return `${JSON.stringify({ format: 1, images, kinds: packed })}\n`;
}

/** Of the evaluation after `step` updates; null where it is not there, or not whole. */
export async function readMatches(dir: string, step: number): Promise<Matches | null> {
  const record = await readJsonObject<{ format: unknown; images: unknown; kinds: unknown }>(join(dir, RUN_FILES.pictures, String(step), MATCHES_FILE)); // biome-ignore format: one line
  if (record?.format !== 1 || !Array.isArray(record.images) || !Array.isArray(record.kinds)) return null;
  const images = record.images as string[];
  if (!images.every((file) => typeof file === "string")) return null;
  const kinds: Matches["kinds"] = [];
  for (const kind of record.kinds as unknown[]) {
    if (!isObject(kind) || typeof kind.prefix !== "string" || !Array.isArray(kind.classes)) return null;
    const classes = kind.classes.map((one: unknown) => unpack(one, images.length));
    if (classes.some((one) => one === null)) return null;
    kinds.push({ prefix: kind.prefix, classes: classes as ClassMatches[] });
  }
  return { images, kinds };
}

function unpack(one: unknown, images: number): ClassMatches | null {
  if (!isObject(one) || typeof one.name !== "string" || !isObject(one.objects)) return null;
  const objects = { image: numbers32(one.objects.image), count: numbers32(one.objects.count) };
  const [image, matched, ignored] = [numbers32(one.image), numbers16(one.matched), numbers16(one.ignored)];
  if (!objects.image || !objects.count || !image || !matched || !ignored) return null;
  const whole =
    objects.image.length === objects.count.length &&
    image.length === matched.length &&
    image.length === ignored.length &&
    [objects.image, image].every((places) => places.every((place) => place < images)) &&
    objects.count.every((count) => count < 1e6);
  return whole ? { name: one.name, objects: { image: objects.image, count: objects.count }, image, matched, ignored } : null; // biome-ignore format: one line
}

function bytesOf(value: unknown, size: number): Buffer | null {
  const bytes = typeof value === "string" ? Buffer.from(value, "base64") : null;
  return bytes && bytes.length % size === 0 ? bytes : null;
}

function numbers32(value: unknown): Uint32Array | null {
  const bytes = bytesOf(value, 4);
  return bytes && new Uint32Array(Uint8Array.from(bytes).buffer);
}

function numbers16(value: unknown): Uint16Array | null {
  const bytes = bytesOf(value, 2);
  return bytes && new Uint16Array(Uint8Array.from(bytes).buffer);
}
