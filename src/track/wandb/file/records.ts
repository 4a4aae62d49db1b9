// The messages of .wandb files that a run needs. Field numbers: wandb/proto/wandb_internal.proto.

import { createHash } from "node:crypto";
import { bytes, type Encoded, embed, int, message, text, toBytes } from "../../../util/protobuf.ts";

/** What a record says, without its number and its run. */
export type Content = Encoded;

/** Name and version of what wrote the file, and the oldest reader that understands it. */
export function headerRecord({ producer, oldestReader }: { producer: string; oldestReader: string }): Content {
  return embed(21, embed(1, text(1, producer), text(2, oldestReader)));
}

export type RunFacts = {
  id: string;
  project: string;
  entity: string;
  displayName: string;
  host: string;
  /** Milliseconds since 1970. */
  started: number;
  config: Readonly<Record<string, unknown>>;
  /** W&B has the rows before this step already and shall go on with them; undefined: the run begins with this file. */
  resumesAt: number | undefined;
};

export function runRecord({ id, project, entity, displayName, host, started, config, resumesAt }: RunFacts): Content {
  const resume = resumesAt === undefined ? [] : [int(14, resumesAt), int(18, true), int(24, true)];
  return embed(
    17,
    ...[text(1, id), text(2, entity), text(3, project), embed(4, ...items(1, config))],
    ...[text(7, "train"), text(8, displayName), text(13, host), embed(17, ...timestamp(started)), ...resume],
  );
}

/** One row; `_step` must be in it, and rows must come with ascending steps. */
export function historyRecord(row: Readonly<{ _step: number } & Record<string, unknown>>): Content {
  return embed(2, ...items(1, row), embed(2, int(1, row._step)));
}

export function summaryRecord(summary: Readonly<Record<string, unknown>>): Content {
  return embed(3, ...items(1, summary));
}

/** Files of the run, by their paths below `files/`; they are uploaded. */
export function filesRecord(paths: readonly string[]): Content {
  return embed(6, ...paths.map((path) => embed(1, text(1, path))));
}

export function exitRecord({ exitCode, seconds }: { exitCode: number; seconds: number }): Content {
  return embed(18, int(1, exitCode), int(2, Math.round(seconds)));
}

/** A file of an artifact: its name there, where it lies, its size and MD5 (base64). */
type ArtifactFile = { name: string; path: string; size: number; md5: string };

export type Artifact = {
  name: string;
  type: string;
  aliases: readonly string[];
  metadata: Readonly<Record<string, unknown>>;
  files: readonly ArtifactFile[];
  /** See RunIdentity. */
  ids: { sequence: string; version: string };
};

/** An artifact that is complete. Its version has the same name as long as its files have the same content. */
export function artifactRecord(
  run: Pick<RunFacts, "id" | "project" | "entity">,
  { name, type, aliases, metadata, files, ids }: Artifact,
): Content {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const digest = artifactDigest(sorted);
  const contents = sorted.map((file) =>
    embed(4, text(1, file.name), text(2, file.md5), int(4, file.size), text(6, file.path)),
  );
  const layout = embed(3, text(1, "storageLayout"), text(2, '"V2"'));
  return embed(
    8,
    ...[text(1, run.id), text(2, run.project), text(3, run.entity), text(4, type), text(5, name), text(6, digest)],
    ...[text(8, JSON.stringify(metadata)), int(9, true), ...aliases.map((alias) => text(11, alias))],
    embed(12, int(1, 1), text(2, "wandb-storage-policy-v1"), layout, ...contents),
    int(14, true), // complete: commit it
    text(15, createHash("sha512").update(`${ids.version}:${digest}`).digest("hex")),
    text(16, ids.sequence),
  );
}

/** What W&B knows a version's content by: MD5 over the names and MD5 sums of its files, in the order of the names. */
function artifactDigest(files: readonly Pick<ArtifactFile, "name" | "md5">[]): string {
  const hash = createHash("md5").update("wandb-artifact-manifest-v1\n");
  for (const { name, md5 } of files) hash.update(`${name}:${md5}\n`);
  return hash.digest("hex");
}

/** The records of one run, numbered from 1. */
export function* numbered(runId: string, contents: Iterable<Content>): Generator<Uint8Array> {
  let number = 0;
  for (const content of contents) yield toBytes(message(int(1, ++number), content, embed(200, text(1, runId))));
}

/** Keys with their values as JSON. */
function items(field: number, values: Readonly<Record<string, unknown>>): Encoded[] {
  return Object.entries(values).map(([key, value]) =>
    bytes(field, message(text(1, key), text(16, JSON.stringify(value ?? null)))),
  );
}

function timestamp(ms: number): Encoded[] {
  return [int(1, Math.floor(ms / 1000)), int(2, Math.floor(ms % 1000) * 1_000_000)];
}
