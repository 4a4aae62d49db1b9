// An ONNX file under measurement, in onnxruntime on the CPU as `predict` and `evaluate` run it.

import { openDetector } from "../onnx/detector.ts";
import { onnxruntimeVersion } from "../onnx/session.ts";
import { UserError } from "../util/errors.ts";
import type { Pipeline } from "./rounds.ts";
import type { Subject } from "./subject.ts";

/** Open a file. Throws as `openDetector`, and a UserError where another side is asked for than the file's own. */
export async function openOnnxSubject(
  path: string,
  { threads, resolution }: { threads: number | undefined; resolution: number | undefined },
): Promise<Subject> {
  const begin = performance.now();
  const detector = await openDetector(path, { threads });
  const loadMs = performance.now() - begin;
  const side = detector.resolution;
  if (resolution !== undefined && resolution !== side) {
    await detector.close();
    throw new UserError(
      `${path} takes images of ${side} pixels a side, not ${resolution}: that is fixed in the file.`,
      {
        hint: `Export it again with --resolution ${resolution}.`,
      },
    );
  }
  const pipeline: Pipeline = {
    side,
    forward: async (pixels, sizes) => {
      const outputs = await detector.forward(pixels, sizes);
      return () => detector.select(outputs, sizes);
    },
  };
  return {
    ...{ name: path, kind: "onnx", source: path, file: path, loadMs, pipeline },
    native: side,
    runtime: `onnxruntime ${onnxruntimeVersion()}`,
    device: "cpu",
    threads: detector.session.threads,
    warning: undefined,
    classes: detector.classes,
    detect: (batch) => detector.detect(batch),
    close: () => detector.close(),
  };
}
