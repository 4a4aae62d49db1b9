// An ONNX file in onnxruntime, which is loaded when the first file is opened and never before.

import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import type * as ort from "onnxruntime-node";
import { UserError } from "../util/errors.ts";
import { fileError } from "../util/files.ts";
import { disableTelemetry, isTelemetryDisabled, TELEMETRY_SWITCH } from "../util/telemetry.ts";

/** A tensor in host memory, row-major. */
export type OnnxTensor = {
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Int8Array | Uint16Array;
  shape: readonly number[];
};

/** An input or output of a model; a text in the shape is the name of a dimension that is free. */
type OnnxPort = { name: string; type: string; shape: readonly (number | string)[] };

export type OnnxSession = {
  path: string;
  inputs: OnnxPort[];
  outputs: OnnxPort[];
  /** Threads of an operation. */
  threads: number;
  /** Run the model on tensors by the names of its inputs; gives its outputs by name. The process waits for it. */
  run(feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
  /** Free the model. */
  close(): Promise<void>;
};

export type OpenOptions = {
  /** Threads of an operation; default: all that this process may use. */
  threads?: number;
  /** Optimise the graph on loading, as onnxruntime does by default. */
  optimise?: boolean;
};

/**
 * Open an ONNX file on the CPU. Threads do not spin while they wait, so that an idle session costs nothing and other
 * work beside it (image decoding, another session) is not slowed down.
 * Throws a UserError where there is no onnxruntime, no file, or the file is no model that onnxruntime can run.
 */
export async function openOnnx(
  path: string,
  { threads = availableParallelism(), optimise = true }: OpenOptions = {},
): Promise<OnnxSession> {
  const { InferenceSession, Tensor } = onnxruntime();
  let session: ort.InferenceSession;
  try {
    session = await InferenceSession.create(path, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      graphOptimizationLevel: optimise ? "all" : "disabled",
      logSeverityLevel: 4, // what goes wrong is thrown as well
      extra: { "session.intra_op.allow_spinning": "0" },
    });
  } catch (cause) {
    throw loadError(path, cause);
  }
  return {
    path,
    inputs: ports(session.inputMetadata),
    outputs: ports(session.outputMetadata),
    threads,
    run: async (feeds) => {
      const given = Object.entries(feeds).map(([name, { data, shape }]) => [name, new Tensor(data as never, shape)]);
      const results = await session.run(Object.fromEntries(given), { logSeverityLevel: 4 }).catch((cause: Error) => {
        const [why] = cause.message.split("\n");
        throw new UserError(`${path} fails while it runs: ${why}`, {
          hint: "The model does not fit its own inputs, or there is not enough memory. Export it again.",
          cause,
        });
      });
      return Object.fromEntries(
        Object.entries(results).map(([name, { data, dims }]) => [
          name,
          { data: data as OnnxTensor["data"], shape: dims },
        ]),
      );
    },
    close: () => session.release(),
  };
}

/** Version of onnxruntime-node, or undefined where it cannot be loaded. */
export function onnxruntimeVersion(): string | undefined {
  try {
    const { versions } = onnxruntime().env;
    return versions.node ?? versions.common;
  } catch {
    return undefined;
  }
}

let loaded: typeof ort | undefined;

function onnxruntime(): typeof ort {
  if (loaded) return loaded;
  disableTelemetry();
  if (!isTelemetryDisabled())
    throw new UserError(`onnxruntime would report to its maker: this thread's process lacks ${TELEMETRY_SWITCH}=1.`, {
      hint: `Set ${TELEMETRY_SWITCH}=1 before the program starts, or start the thread with the option env: SHARE_ENV.`,
    });
  try {
    loaded = createRequire(import.meta.url)("onnxruntime-node") as typeof ort;
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
    const [why] = String((cause as Error).message).split("\n");
    throw new UserError(
      absent ? "onnxruntime-node is not installed." : `onnxruntime-node is installed but does not load: ${why}`,
      { hint: INSTALL_ONNXRUNTIME, cause },
    );
  }
  return loaded;
}

/**
 * How it is installed where npm has left it out: it is optional because its own install script downloads what a GPU needs,
 * and fails where it cannot. The version is that of package.json.
 */
export const INSTALL_ONNXRUNTIME = "npm install --ignore-scripts onnxruntime-node@1.30.0";

function ports(metadata: readonly ort.InferenceSession.ValueMetadata[]): OnnxPort[] {
  return metadata.map((one) =>
    one.isTensor
      ? { name: one.name, type: one.type, shape: one.shape }
      : { name: one.name, type: "no tensor", shape: [] },
  );
}

function loadError(path: string, cause: unknown): unknown {
  const { message } = cause as Error;
  if (/File doesn't exist|NO_SUCHFILE/i.test(message)) return fileError(path, "read", { code: "ENOENT", cause });
  const [why] = message.replace(`Load model from ${path} failed:`, "").trim().split("\n");
  return new UserError(`${path} is no ONNX model that can be run: ${why}`, {
    hint: "The file may be damaged or incomplete, of a later ONNX version, or no ONNX file at all. Export it again.",
    cause,
  });
}
