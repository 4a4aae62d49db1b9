// The GraphQL half of the W&B server for tests: runs, addresses for uploads, artifacts.

import type { ServerRun, ServerState } from "./wandbServer.ts";

const ENTITY = "test-entity";
const MODEL = "model-id";

/** Answer one GraphQL request. */
export function answerGraphql(request: Record<string, unknown>, state: ServerState, uploads: string): unknown {
  const query = String(request.query ?? "");
  const variables = (request.variables ?? {}) as Record<string, unknown>;
  const found = OPERATIONS.find(({ pattern }) => pattern.test(query));
  return { data: found ? found.answer(variables, state, uploads) : {} };
}

type Operation = {
  pattern: RegExp;
  answer(variables: Record<string, unknown>, state: ServerState, uploads: string): unknown;
};

/** The first whose pattern is in the query answers. */
const OPERATIONS: Operation[] = [
  {
    pattern: /upsertBucket/,
    answer: (variables, { runs }) => {
      const names = { entity: text(variables.entity) ?? ENTITY, project: text(variables.project) ?? "uncategorized" };
      const id = text(variables.name) ?? "unnamed";
      const inserted = runs[id] === undefined;
      runs[id] ??= newRun({ id, ...names });
      const run = runs[id];
      run.upserts++;
      run.complete = false;
      run.config = text(variables.config) ?? run.config ?? "{}";
      run.displayName = text(variables.displayName) ?? run.displayName ?? id;
      return { upsertBucket: { bucket: bucketOf(runs, id), inserted } };
    },
  },
  {
    pattern: /RunResumeStatus/,
    answer: ({ project, entity, name }, { runs }) => ({
      model: {
        ...{ id: MODEL, name: project, entity: entityOf(text(entity)) },
        bucket: runs[String(name)] ? bucketOf(runs, String(name)) : null,
      },
    }),
  },
  {
    pattern: /RunUploadUrls/,
    answer: ({ files, run }, _state, uploads) => {
      const edges = (files as string[]).map((name) => ({
        node: { name, url: `${uploads}/${run}/${encodeURIComponent(name)}`, updatedAt: null },
      }));
      return { model: { bucket: { id: "bucket-id", files: { uploadHeaders: [], edges } } } };
    },
  },
  {
    pattern: /createRunFiles/i,
    answer: ({ files, run }, _state, uploads) => ({
      createRunFiles: {
        ...{ runID: "bucket-id", uploadHeaders: [] },
        files: ((files ?? []) as string[]).map((name) => ({ name, uploadUrl: `${uploads}/${run}/${name}` })),
      },
    }),
  },
  {
    pattern: /__schema|__type|IntrospectionQuery|ProbeServer/i,
    answer: () => ({
      serverInfo: {
        cliVersionInfo: { max_cli_version: "0.31.0" },
        features: [],
        latestLocalVersionInfo: null,
      },
      ...{ QueryType: { fields: [] }, MutationType: { fields: [] }, ServerInfoType: { fields: [] }, __type: null },
    }),
  },
  { pattern: /ServerFeaturesQuery/, answer: () => ({ serverInfo: { features: [] } }) },
  {
    pattern: /mutation CreateArtifactManifest/,
    answer: ({ name }, _state, uploads) => ({
      createArtifactManifest: { artifactManifest: manifestOf(text(name), uploads) },
    }),
  },
  {
    pattern: /mutation UpdateArtifactManifest/,
    answer: ({ name }, _state, uploads) => ({
      updateArtifactManifest: { artifactManifest: manifestOf(text(name), uploads) },
    }),
  },
  {
    pattern: /mutation CreateArtifactFiles/,
    answer: (variables, _state, uploads) => {
      type File = { name: string; artifactID: string };
      const input = variables.input as { artifactFiles?: File[] } | undefined;
      const files = input?.artifactFiles ?? (variables.artifactFiles as File[] | undefined) ?? [];
      const edges = files.map(({ name, artifactID }) => ({
        node: {
          ...{ id: "file-id", name, displayName: name, storagePath: `wandb_artifacts/${name}` },
          ...{ uploadUrl: `${uploads}/artifact/${name}`, uploadHeaders: [], uploadMultipartUrls: null },
          artifact: { id: artifactID },
        },
      }));
      return { createArtifactFiles: { files: { edges } } };
    },
  },
  {
    pattern: /mutation CommitArtifact/,
    answer: () => ({ commitArtifact: { artifact: { id: "artifact-id", digest: "digest" } } }),
  },
  {
    pattern: /mutation CreateArtifact\b/,
    answer: () => ({
      createArtifact: {
        artifact: {
          id: "artifact-id",
          state: "PENDING",
          artifactSequence: { id: "sequence-id", latestArtifact: null },
        },
      },
    }),
  },
  {
    pattern: /viewer/i,
    answer: () => ({
      viewer: {
        ...{ id: "viewer-id", entity: ENTITY, username: "test", email: "test@example.com" },
        ...{ flags: '{"code_saving_enabled":false}', teams: { edges: [{ node: { name: ENTITY } }] } },
      },
    }),
  },
];

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

const entityOf = (name = ENTITY) => ({ id: "entity-id", name });

/** What the server tells of a run, the state to resume from included. */
function bucketOf(runs: ServerState["runs"], id: string): object {
  const run = runs[id]!;
  const history = run.files["wandb-history.jsonl"] ?? [];
  const events = run.files["wandb-events.jsonl"] ?? [];
  return {
    ...{ id: "bucket-id", name: id, displayName: run.displayName, description: "", sweepName: null },
    ...{ config: run.config, wandbConfig: null, tags: [], notes: null, logLineCount: 0 },
    summaryMetrics: run.files["wandb-summary.json"]?.[0] ?? "{}",
    historyLineCount: history.length,
    historyTail: JSON.stringify(history.slice(-1)),
    eventsLineCount: events.length,
    eventsTail: JSON.stringify(events.slice(-1)),
    project: { id: MODEL, name: run.project, entity: entityOf(run.entity) },
  };
}

function manifestOf(name: string | undefined, uploads: string): object {
  return {
    id: "manifest-id",
    file: { id: "file-id", name, displayName: name, uploadUrl: `${uploads}/manifest`, uploadHeaders: [] },
  };
}

/** A run as it is before anything was sent. */
export function newRun(names: { id: string; entity: string; project: string }): ServerRun {
  return { ...names, files: {}, complete: false, exitCode: null, upserts: 0 };
}
