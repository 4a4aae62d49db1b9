// The client library @wandb/sdk with its transport replaced: as it is, it sends nothing twice, never times out, and loses
// what a server did not take. To be loaded in a thread of its own, since it listens to signals and ends processes.

import type { Transport } from "./transport.ts";

/** What the library sends of the files of a run: lines by the name of the file. */
export type StreamData = {
  files?: Record<string, { offset?: number; content: string[] }>;
  complete?: boolean;
  exitcode?: number;
};

/** The part of the library's file stream that is used here. */
export type FileStream = {
  MAX_ITEMS: number;
  runPath: string;
  started: number;
  delay: { cancel(): boolean };
  lastChunks: Record<"wandb-history.jsonl" | "wandb-summary.json", { offset: number; data: Record<string, unknown> }>;
  send(data: StreamData): Promise<void>;
  currentDelay(): number;
  bufferRecord(record: StreamData["files"]): void;
};

type Api = {
  defaultEntity: string;
  execute(query: unknown, variables: { entity?: string }): Promise<unknown>;
  uploadUrls(request: { name: string; entity: string; run: string; files: string[] }): Promise<UploadUrls>;
};

type UploadUrls = {
  model: {
    bucket: { files: { uploadHeaders: string[] | null; edges: { node: { name: string; url: string } }[] } } | null;
  } | null;
};

export type SdkRun = {
  entity: string;
  project: string;
  id: string;
  log(row: Record<string, unknown>, step: number): void;
  finish(code: number): Promise<void>;
  _messenger: { sender: { filestream: FileStream; api: Api; delay: { ms: number; cancel(): boolean } } };
};

export type Sdk = {
  init(options: {
    project: string;
    entity: string;
    id: string;
    name: string;
    config: Record<string, { value: unknown }>;
    settings: { baseUrl: string; apiKey: string; silent: true; offline: false };
  }): Promise<SdkRun>;
};

export type Hooks = {
  transport: Pick<Transport, "graphql" | "post">;
  /** Called with what is about to be sent; may change it. */
  beforeSend(data: StreamData): void;
  /** What was sent has been taken. */
  afterSend(data: StreamData): void;
  /** The server has refused, for good. The library is not told: it would end the process. */
  onRefused(error: Error): void;
  /** Milliseconds until it looks for lines to send again. */
  pause(): number;
};

const SIGNALS = ["SIGINT", "SIGTERM", "beforeExit"] as const;

/** Load the library and put `hooks` in its transport's place. Throws where its inside is not as it is known to be. */
export async function loadSdk(hooks: Hooks): Promise<Sdk> {
  // Of this thread alone, as its environment is a copy: what would change the library's ways.
  for (const name of ["WANDB_WORKER", "WANDB_MODE", "WANDB_DEBUG"]) delete process.env[name];
  const inside = (path: string) => import(new URL(path, import.meta.resolve("@wandb/sdk")).href);
  const [{ wandb }, { FileStream }, { InternalApi }] = (await Promise.all([
    import("@wandb/sdk"),
    inside("./dist/internal/filestream.js"),
    inside("./dist/internal/api.js"),
  ])) as unknown as [{ wandb: Sdk }, { FileStream: { prototype: FileStream } }, { InternalApi: { prototype: Api } }];
  const functions = [
    wandb?.init,
    ...[FileStream?.prototype.send, FileStream?.prototype.currentDelay, FileStream?.prototype.bufferRecord],
    ...[InternalApi?.prototype.execute, InternalApi?.prototype.uploadUrls],
  ];
  if (functions.some((one) => typeof one !== "function")) throw new Error(UNKNOWN);

  const never = (error: unknown) => {
    hooks.onRefused(error as Error);
    return new Promise<never>(() => {});
  };
  FileStream.prototype.currentDelay = () => hooks.pause();
  FileStream.prototype.send = async function (this: FileStream, data) {
    hooks.beforeSend(data);
    await hooks.transport.post(encodeURI(this.runPath), data).catch(never);
    hooks.afterSend(data);
  };
  InternalApi.prototype.execute = async function (this: Api, query, variables) {
    const entity = variables.entity === "" ? { entity: this.defaultEntity } : {};
    Object.assign(variables, entity); // the library reads it back from here
    return hooks.transport.graphql(String(query), variables).catch(never);
  };
  return {
    init: async (options) => {
      const before = new Map(SIGNALS.map((name) => [name, process.rawListeners(name)]));
      try {
        const run = await wandb.init(options);
        const { filestream, api, delay } = run._messenger?.sender ?? {};
        const offset = filestream?.lastChunks?.["wandb-history.jsonl"]?.offset;
        if (typeof offset !== "number" || !api || !delay || typeof filestream?.runPath !== "string")
          throw new Error(UNKNOWN);
        return run;
      } finally {
        for (const [name, listeners] of before)
          for (const listener of process.rawListeners(name))
            if (!listeners.includes(listener)) process.removeListener(name, listener as () => void);
      }
    },
  };
}

const UNKNOWN = "this version of @wandb/sdk is built differently inside than the one that is known here";
