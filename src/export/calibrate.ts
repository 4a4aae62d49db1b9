// The ranges of activations that int8 needs, measured on training images in onnxruntime.

import { dirname, join } from "node:path";
import { spread } from "../data/dataset/sample.ts";
import type { HostModel } from "../detector/loadModel.ts";
import { evaluationLoader } from "../loading/batch/evaluationLoader.ts";
import { openOnnx } from "../onnx/session.ts";
import { permute } from "../util/arrays/permute.ts";
import { writeDraft } from "./file.ts";
import { buildGraph } from "./graph/rfdetr.ts";
import type { ExportOptions } from "./options.ts";
import type { ExportPictures } from "./pictures.ts";
import { type Range, type Ranges, rangeRecorder } from "./quantise.ts";

/** Images that are looked at; more change the ranges little. */
const IMAGES = 32;

/**
 * The mean over images of the least and the largest number that goes into each layer; a single image with far larger
 * numbers would cost all others their precision. Throws a UserError where the graph cannot be written beside `out`.
 */
export async function calibrate(
  model: HostModel,
  pictures: ExportPictures,
  { out, signal, onProgress }: Pick<ExportOptions, "out" | "signal" | "onProgress">,
): Promise<{ ranges: Ranges; images: number }> {
  const recorder = rangeRecorder();
  const settings = { opset: 18, batch: "dynamic", fused: false, floats: "float32", quantiser: recorder } as const;
  const graph = buildGraph(model.leaves, model.architecture, settings);
  const about = { name: "ranges", version: "0", metadata: {} };
  const draft = await writeDraft(join(dirname(out), "calibration.onnx"), graph.encode(about));
  const split = spread(pictures.split, IMAGES);
  const { resolution } = model.architecture;
  const loader = evaluationLoader(split, { resolution });
  const sums = new Map<string, Range>([...recorder.layers.values()].map((output) => [output, { min: 0, max: 0 }]));
  let images = 0;
  try {
    const session = await openOnnx(draft.path);
    try {
      for await (const batch of loader.epoch(0)) {
        signal?.throwIfAborted();
        const { data, shape } = permute({ shape: batch.shape, data: batch.images }, [0, 3, 1, 2]);
        const found = await session.run({ input: { data, shape } });
        for (const [output, sum] of sums) {
          sum.min += Number(found[`${output}.min`]!.data[0]);
          sum.max += Number(found[`${output}.max`]!.data[0]);
        }
        images++;
        onProgress?.("calibrating int8", images, split.samples.length);
      }
    } finally {
      await session.close();
    }
  } finally {
    await loader.close();
    await draft.discard();
  }
  const mean = ({ min, max }: Range): Range => ({ min: min / images, max: max / images });
  return { ranges: new Map([...recorder.layers].map(([layer, output]) => [layer, mean(sums.get(output)!)])), images };
}
