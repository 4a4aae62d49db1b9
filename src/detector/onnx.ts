// An ONNX file as a detector, in onnxruntime on the CPU; the engine is not needed.

import type { Sizes } from "../instance/detections.ts";
import { slicesFrom } from "../instance/slices/layout.ts";
import { refuseUnbounded } from "../onnx/endless.ts";
import { readOnnxFacts } from "../onnx/facts.ts";
import { fromMetadata } from "../onnx/metadata.ts";
import { type OnnxSession, type OnnxTensor, onnxruntimeVersion, openOnnx } from "../onnx/session.ts";
import { type OnnxPorts, tryOnnx } from "../onnx/trial.ts";
import { UserError } from "../util/errors.ts";
import { type Detecting, type Detector, detectWith, type OpenDetectorOptions, requireNumbers } from "./detector.ts";
import { decodedDetections, type OnnxOutputs, rankedDetections, requireShapes } from "./onnxOutputs.ts";
import { chooseSlices } from "./slices/choose.ts";

export type OnnxDetector = Detector<OnnxOutputs> & {
  metadata: Record<string, string>;
  /** Images that one run takes; undefined: any number. */
  batch: number | undefined;
  /** Whether scores, labels and boxes in pixels come out of the file itself. */
  decoded: boolean;
};

type OpenOnnxOptions = Omit<OpenDetectorOptions, "recipe" | "onDownload"> & {
  /** Whether this program has written the file just now: then it is not tried. */
  trusted?: boolean;
};

/**
 * Open a detector, after a trial in a process of its own. Throws a UserError where the file cannot be read, is no ONNX file, is
 * not a detector with the inputs and outputs of the reference's export (or of our decoded one), takes more time or memory than
 * any, or where a GPU or another side than the file's own is asked for.
 */
export async function openOnnxDetector(path: string, options: OpenOnnxOptions = {}): Promise<OnnxDetector> {
  const { device = "auto", threads, resolution, precision, batchSizes = [], trusted = false } = options;
  if (device === "gpu") {
    throw new UserError(`device: gpu was asked for, but ONNX files such as ${path} are computed on the CPU here.`, {
      hint: "Leave the device out, or give the weights that the file was exported from.",
    });
  }
  if (precision === "bf16") {
    throw new UserError(
      `${path} cannot be computed with --precision bf16: an ONNX file has the precision that it was exported in.`,
      {
        hint: "Leave --precision out, or give the weights that the file was exported from.",
      },
    );
  }
  const { metadata } = await readOnnxFacts(path);
  if (!trusted) refuseDecodedMasks(path, metadata);
  const slices = chooseSlices(options.slices, { slices: slicesFrom(metadata.slices), source: path });
  const counts = [...new Set([1, ...(slices && options.partsAtOnce ? [options.partsAtOnce] : batchSizes)])];
  if (!trusted) {
    await refuseUnbounded(path);
    await tryOnnx(path, { counts, threads, feeds: (ports, count) => shapesFor(describe({ path, ...ports }, metadata), count) }); // biome-ignore format: one line
  }
  const begin = performance.now();
  const session = await openOnnx(path, { threads });
  try {
    const about = describe(session, metadata);
    const loadMs = performance.now() - begin;
    if (resolution !== undefined && resolution !== about.resolution) {
      throw new UserError(
        `${path} takes images of ${about.resolution} pixels a side, not ${resolution}: that is fixed in the file.`,
        { hint: `Export it again with --resolution ${resolution}.` },
      );
    }
    const name = `CPU, onnxruntime, ${session.threads} thread${session.threads === 1 ? "" : "s"}`;
    const detecting = detectingIn(session, { ...about, counts: trusted ? undefined : counts });
    return {
      ...{ kind: "onnx", source: path, file: path, metadata, loadMs },
      ...{ resolution: about.resolution, nativeResolution: about.resolution, classes: about.classes },
      numSelect: about.numSelect,
      ...{ batch: about.batch, decoded: about.decoded, slices },
      ...{ threshold: about.threshold, operatingPoint: about.operatingPoint },
      runtime: `onnxruntime ${onnxruntimeVersion()}`,
      device: { kind: "cpu", name, warning: undefined },
      threads: session.threads,
      ...detecting,
      detect: (input) => detectWith(detecting, input),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/**
 * A decoded segmenter's cost depends on the numbers that it is given, the sizes of the images: a trial says nothing of the next
 * image, so files of others with that are not run here.
 */
function refuseDecodedMasks(path: string, { outputs, task }: Record<string, string>): void {
  if (outputs === "decoded" && task === "segmentation")
    throw new UserError(`${path} was exported with --decode, and makes masks of the images' size itself.`, {
      hint: "Such a file is for other programs. Give the plain file here, exported without --decode: it finds the same.",
    });
}

/** Numbers that go into one run, and classes that a model tells apart: many times those of any detector. */
const [MOST_NUMBERS, MOST_LOGITS] = [1 << 28, 1 << 17];

/** What a run of so many images is given; a file of a fixed batch takes its own number. */
function shapesFor({ batch, resolution: side, decoded }: About, count: number): Record<string, number[]> {
  const images = batch ?? count;
  return { input: [images, 3, side, side], ...(decoded && { sizes: [images, 2] }) };
}

type About = Pick<
  OnnxDetector,
  "resolution" | "batch" | "decoded" | "classes" | "threshold" | "operatingPoint" | "numSelect"
>;

function describe(session: OnnxPorts & { path: string }, metadata: Record<string, string>): About {
  const { path } = session;
  const outputs = new Map(session.outputs.map(({ name, shape }) => [name, shape]));
  const [first] = session.inputs;
  const names = session.inputs.map(({ name }) => name).join();
  const decoded = names === "input,sizes" && ["boxes", "scores", "labels"].every((name) => outputs.has(name));
  const masks = outputs.get("masks");
  const raw =
    names === "input" &&
    outputs.get("dets")?.length === 3 &&
    outputs.get("labels")?.length === 3 &&
    (masks === undefined || masks.length === 4);
  const [images, channels, height, width] = first?.shape ?? [];
  const square = first?.type === "float32" && channels === 3 && typeof height === "number" && height === width;
  if (!(decoded || raw) || !square) {
    const list = (ports: OnnxPorts["inputs"]) =>
      ports.map(({ name, type, shape }) => `${name} ${type} [${shape.join(", ")}]`).join("; ") || "none";
    throw new UserError(
      `${path} is an ONNX model, but no detector of ours: inputs ${list(session.inputs)}; outputs ${list(session.outputs)}.`,
      {
        hint: "Needed are input float32 [batch, 3, side, side] and the outputs dets and labels, as export writes them.",
      },
    );
  }
  const batch = typeof images === "number" ? images : undefined;
  if ((batch ?? 1) * 3 * height * height > MOST_NUMBERS)
    throw new UserError(
      `${path} takes ${batch ?? 1} images of ${height} pixels a side at once: that is more than ${MOST_NUMBERS} numbers.`,
      { hint: "No RF-DETR does: export the detector again." },
    );
  const logits = raw ? outputs.get("labels")![2] : undefined;
  if (typeof logits === "number" && logits > MOST_LOGITS)
    throw new UserError(`${path} tells ${logits} classes apart: that is more than ${MOST_LOGITS}.`);
  const said = fromMetadata(metadata, typeof logits === "number" ? logits : undefined);
  const { classes, threshold, operatingPoint } = said;
  const queries = outputs.get("dets")?.[1];
  const ofReference = masks !== undefined && metadata.num_select === undefined && typeof queries === "number";
  const numSelect = ofReference ? queries : said.numSelect; // the reference's segmenters give as many as they have queries
  return { resolution: height, batch, decoded, classes, numSelect, threshold, operatingPoint };
}

function detectingIn(
  session: OnnxSession,
  { resolution: side, batch, decoded, numSelect, counts }: About & { counts: readonly number[] | undefined },
): Detecting<OnnxOutputs> {
  return {
    forward: (pixels, sizes) => {
      // Its cost may depend on the number of images in any way: one by one where that number was not tried.
      const step = batch ?? (counts?.includes(sizes.length) === false ? 1 : sizes.length);
      return forward(session, pixels, { side, step, sizes: decoded ? sizes : undefined });
    },
    select: (parts, sizes, options) => {
      let done = 0;
      const found = parts.flatMap((part) => {
        const own = sizes.slice(done, done + part.images);
        done += part.images;
        return decoded
          ? decodedDetections(part.outputs, own, options)
          : rankedDetections(part.outputs, own, { numSelect, ...options });
      });
      return requireNumbers(found, session.path);
    },
  };
}

async function forward(
  session: OnnxSession,
  images: Float32Array,
  { side, step, sizes }: { side: number; step: number; sizes: Sizes | undefined },
): Promise<OnnxOutputs> {
  const area = side * side;
  const count = images.length / (3 * area);
  const runs: OnnxOutputs = [];
  for (let from = 0; from < count; from += step) {
    const own = Math.min(step, count - from);
    const data = new Float32Array(step * 3 * area); // a file of a fixed batch gets black images to fill the last one
    channelsFirst(images.subarray(from * 3 * area, (from + own) * 3 * area), data, area);
    const feeds: Record<string, OnnxTensor> = { input: { data, shape: [step, 3, side, side] } };
    if (sizes) {
      const rest = Array.from({ length: step - own }, () => [1, 1] as const);
      const all = [...sizes.slice(from, from + own), ...rest];
      feeds.sizes = { data: Float32Array.from(all.flat()), shape: [step, 2] };
    }
    const outputs = await session.run(feeds);
    requireShapes(outputs, { path: session.path, images: step, decoded: sizes !== undefined });
    runs.push({ images: own, outputs });
  }
  return runs;
}

/** [images, area, 3] -> [images, 3, area]. */
function channelsFirst(from: Float32Array, to: Float32Array, area: number): void {
  for (let image = 0; image < from.length; image += 3 * area) {
    for (let i = 0, at = image; i < area; i++) {
      to[image + i] = from[at++]!;
      to[image + area + i] = from[at++]!;
      to[image + 2 * area + i] = from[at++]!;
    }
  }
}
