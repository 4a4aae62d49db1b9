// A W&B server on the loopback address that keeps what it is sent and fails on demand. It knows what the client library of
// JavaScript and the official `wandb sync` ask for; how the real server treats other things is not known here.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { answerGraphql, newRun } from "./wandbGraphql.ts";

/** Whose requests a fault concerns: `init` is all of GraphQL before the first row, `rows` and `finish` are the file stream. */
export type Target = "viewer" | "resume" | "upsert" | "urls" | "graphql" | "rows" | "finish" | "put" | "all";

export type Fault =
  | { kind: "status"; status: number; retryAfter?: string }
  /** The connection is closed without an answer: before the request is acted on, or after. */
  | { kind: "drop"; acted?: boolean }
  | { kind: "hang" }
  /** Acted on at once, answered after so many milliseconds. */
  | { kind: "slow"; ms: number };

export type ServerRun = {
  id: string;
  entity: string;
  project: string;
  displayName?: string;
  /** As it was sent: a string of JSON. */
  config?: string;
  /** Lines by number; undefined where a line was skipped. */
  files: Record<string, (string | undefined)[]>;
  complete: boolean;
  exitCode: number | null;
  /** How often the run was opened. */
  upserts: number;
};

/** What outlives a restart of the server. */
export type ServerState = {
  runs: Record<string, ServerRun>;
  /** Bytes by the path under which they were uploaded, such as RUN/media/images/a.png. */
  uploads: Record<string, Buffer>;
  /** Lines of a history that were sent again with another content, as "RUN:NUMBER". */
  changedLines: string[];
};

export type ServerRequest = {
  at: number;
  method: string;
  path: string;
  target: Target;
  authorization: string;
  /** Rows in it. */
  lines: number;
};

export type WandbServer = {
  url: string;
  port: number;
  state: ServerState;
  requests: ServerRequest[];
  /** Let the next `times` requests to a target fail (default: all until further notice); undefined ends it. */
  fail(fault: Fault | undefined, options?: { target?: Target; times?: number }): void;
  /** The history of a run, each line parsed. Throws where a line is missing. */
  history(id: string): Record<string, unknown>[];
  /** End all connections and stop listening; the state stays. */
  stop(): Promise<void>;
};

/** Start a server; with the state and port of one that was stopped, it is that one restarted. `key` is the only API key it accepts. */
export async function startWandbServer({
  port = 0,
  state = { runs: {}, uploads: {}, changedLines: [] },
  key,
}: {
  port?: number;
  state?: ServerState;
  key?: string;
} = {}): Promise<WandbServer> {
  const requests: ServerRequest[] = [];
  let fault: { fault: Fault; target: Target; times: number } | undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request);
    const url = request.url ?? "/";
    const authorization = request.headers.authorization ?? "";
    const target = targetOf(request.method ?? "", url, body);
    const lines = target === "rows" ? linesIn(body) : 0;
    requests.push({ at: performance.now(), method: request.method ?? "", path: url, target, authorization, lines });
    const active = takeFault(target);
    if (active?.kind === "hang") return;
    if (active?.kind === "drop" && !active.acted) return void request.socket.destroy();
    if (active?.kind === "status") {
      const headers = active.retryAfter === undefined ? {} : { "retry-after": active.retryAfter };
      return void response.writeHead(active.status, headers).end(JSON.stringify({ error: "injected" }));
    }
    const expected = key === undefined ? undefined : `Basic ${Buffer.from(`api:${key}`).toString("base64")}`;
    if (expected && target !== "put" && authorization !== expected)
      return void response.writeHead(401).end(JSON.stringify({ error: "invalid API key" }));
    const answer = act(url, target, body);
    if (active?.kind === "drop") return void request.socket.destroy();
    if (active?.kind === "slow") await sleep(active.ms);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  };

  const takeFault = (target: Target): Fault | undefined => {
    if (!fault || fault.times <= 0 || !covers(fault.target, target)) return undefined;
    fault.times--;
    return fault.fault;
  };

  const act = (url: string, target: Target, body: Buffer): unknown => {
    if (target === "put") {
      state.uploads[decodeURIComponent(url.replace(/^\/upload\//, ""))] = body;
      return {};
    }
    const json = JSON.parse(body.toString()) as Record<string, unknown>;
    if (url.startsWith("/graphql")) return answerGraphql(json, state, `http://127.0.0.1:${actual.port}/upload`);
    return stream(state, url, json);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => response.writeHead(400).end(error.message));
  });
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(port, "127.0.0.1", done);
  });
  const actual = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${actual.port}`,
    port: actual.port,
    state,
    requests,
    fail: (next, { target = "all", times = Number.POSITIVE_INFINITY } = {}) => {
      fault = next && { fault: next, target, times };
    },
    history: (id) => {
      const lines = state.runs[id]?.files["wandb-history.jsonl"] ?? [];
      return Array.from(lines, (line, number) => {
        if (line === undefined) throw new Error(`line ${number} of the history is missing`);
        return JSON.parse(line) as Record<string, unknown>;
      });
    },
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
}

function linesIn(body: Buffer): number {
  const { files = {} } = JSON.parse(body.toString()) as { files?: Record<string, { content: string[] }> };
  return files["wandb-history.jsonl"]?.content.length ?? 0;
}

function targetOf(method: string, url: string, body: Buffer): Target {
  if (method === "PUT") return "put";
  const text = body.toString("utf8", 0, 4096);
  if (!url.startsWith("/graphql")) return text.includes('"complete":true') ? "finish" : "rows";
  if (/upsertBucket/i.test(text)) return "upsert";
  if (/RunResumeStatus/.test(text)) return "resume";
  if (/RunUploadUrls|createRunFiles/i.test(text)) return "urls";
  return /viewer/i.test(text) ? "viewer" : "graphql";
}

function covers(fault: Target, target: Target): boolean {
  if (fault === "all" || fault === target) return true;
  return fault === "graphql" && ["viewer", "resume", "upsert", "urls"].includes(target);
}

/** The file stream: lines of files at an offset, and that the run is over. */
function stream(state: ServerState, url: string, json: Record<string, unknown>): unknown {
  const [, , entity, project, id] = url.split("/").map(decodeURIComponent);
  state.runs[id!] ??= newRun({ id: id!, entity: entity!, project: project! });
  const run = state.runs[id!]!;
  type Chunk = { content: string[]; offset?: number };
  for (const [name, { content, offset = 0 }] of Object.entries((json.files ?? {}) as Record<string, Chunk>)) {
    run.files[name] ??= [];
    const lines = run.files[name];
    content.forEach((line, i) => {
      const old = lines[offset + i];
      if (name === "wandb-history.jsonl" && old !== undefined && old !== line)
        state.changedLines.push(`${id}:${offset + i}`);
      lines[offset + i] = line;
    });
  }
  if (json.complete === true) Object.assign(run, { complete: true, exitCode: json.exitcode });
  return { exitcode: null, limits: {} };
}
