// An ONNX file on the disk: written beside its place, put there once it has been verified.

import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError, syncDirectory, writeFileAtomic } from "../util/files.ts";
import { byteLength, type Encoded } from "../util/protobuf.ts";

/** A file that is complete, under a name of its own. */
export type Draft = {
  path: string;
  bytes: number;
  /** Give it its name; what was there is replaced. */
  publish(): Promise<void>;
  /** Delete it, unless it has been published. */
  discard(): Promise<void>;
};

/** Write a file that shall become `path`. Throws a UserError where that cannot be. */
export async function writeDraft(path: string, content: Encoded): Promise<Draft> {
  // always the same name, so that an export that is killed leaves no more than one, and the next takes its place
  const draft = join(dirname(path), `.${basename(path, ".onnx")}.draft.onnx`);
  await writeFileAtomic(draft, joined(content));
  return {
    path: draft,
    bytes: byteLength(content),
    publish: async () => {
      await rename(draft, path).catch((cause) => {
        throw fileError(path, "write", cause);
      });
      await syncDirectory(dirname(path));
    },
    discard: () => rm(draft, { force: true }),
  };
}

/** Small pieces are put together: a graph has tens of thousands, and each would be a write of its own. */
const PIECE = 2 ** 16;

function joined(content: Encoded): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = () => {
    if (small.length > 0) parts.push(Buffer.concat(small));
    small = [];
  };
  for (const piece of content) {
    if (piece.length < PIECE) small.push(piece);
    else {
      flush();
      parts.push(piece);
    }
  }
  flush();
  return parts;
}
