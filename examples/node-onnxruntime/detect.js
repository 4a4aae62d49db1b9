// Objects in a picture with onnxruntime-node: a line of JSON for each, and with a third argument a picture with boxes, and with
// masks of a segmenter.
// Usage: node detect.js MODEL.onnx PICTURE [OUT.png]

import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { describeModel, toDetections, toInput, toMask } from "../detector.js";

process.env.ORT_DISABLE_TELEMETRY ||= "1"; // before it is loaded: else it queues the model's metadata for its maker
const { InferenceSession, Tensor } = await import("onnxruntime-node");

const [model, picture, out] = process.argv.slice(2);
if (!picture) {
  console.error("Usage: node detect.js MODEL.onnx PICTURE [OUT.png]");
  process.exit(2);
}

const file = await readFile(model);
const about = describeModel(file);
const session = await InferenceSession.create(file);

const { data, info } = await sharp(picture)
  .removeAlpha()
  .toColourspace("srgb")
  .raw()
  .toBuffer({ resolveWithObject: true });
const { width, height } = info;
const input = new Tensor("float32", toInput({ data, width, height }, about), [1, 3, about.side, about.side]);
const { dets, labels, masks } = await session.run({ input });
const detections = toDetections(dets.data, labels.data, about, { width, height }).map((detection) => ({
  ...detection,
  ...(masks && { mask: toMask(masks, detection.query, { width, height }) }),
}));

for (const { box, score, name, mask } of detections)
  console.log(
    JSON.stringify({
      ...{ name, score: Number(score.toFixed(4)), box: box.map((value) => Number(value.toFixed(2))) },
      ...(mask && { pixels: mask.reduce((sum, inside) => sum + inside, 0) }),
    }),
  );
if (out)
  await sharp(picture)
    .composite([...(masks ? [{ input: filled(), raw: { width, height, channels: 4 } }] : []), { input: boxes() }])
    .toFile(out);

/** All masks as half-transparent pixels, RGBA. */
function filled() {
  const pixels = Buffer.alloc(4 * width * height);
  for (const { mask } of detections)
    for (const [i, inside] of mask.entries()) if (inside) pixels.set([255, 77, 109, 110], 4 * i);
  return pixels;
}

/** The boxes as a transparent drawing of the picture's size. */
function boxes() {
  const plain = (text) => text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const shapes = detections.map(({ box: [left, top, right, bottom], score, name }) => {
    const frame = `<rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>`;
    return `${frame}<text x="${left + 3}" y="${top + 13}">${plain(name)} ${score.toFixed(2)}</text>`;
  });
  const style = "rect{fill:none;stroke:#ff4d6d;stroke-width:2}text{font:12px sans-serif;fill:#ff4d6d}";
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><style>${style}</style>${shapes.join("")}</svg>`,
  );
}
