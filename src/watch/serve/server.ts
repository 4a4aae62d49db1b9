// The server of watched pages: on this machine only, for browsers on this machine only. No part of a request becomes a path.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { UserError } from "../../util/errors.ts";
import type { Asking } from "../runs/stopRun.ts";
import { type EventStream, eventStream } from "./eventStream.ts";
import { type Wish, wishOf } from "./guard.ts";
import type { LiveView } from "./view.ts";

/** Where a run's page is: the view, its page, the browsers that follow it, and how it is stopped. */
export type WatchedPlace = {
  view: LiveView;
  render: () => Promise<Buffer>;
  streams: Set<EventStream>;
  stop?: () => Promise<Asking>;
};

/** Browsers that follow at a time, and connections. */
const MOST_STREAMS = 16;
const MOST_CONNECTIONS = 64;
const IDLE_MS = 30_000;

const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export type WatchServer = { port: number; close(): Promise<void> };

/**
 * Listen on 127.0.0.1; `port` 0 is any that is free. `placeOf`: what an address shows, by the id of a run, undefined for the page at the
 * top; undefined where there is nothing of the kind. `token`: that of --control, undefined where nothing may be done. Throws a UserError
 * where the port is taken.
 */
export async function serve({
  port: wanted,
  token,
  placeOf,
}: {
  port: number;
  token: string | undefined;
  placeOf: (run: string | undefined) => Promise<WatchedPlace | undefined>;
}): Promise<WatchServer> {
  const streams = new Set<EventStream>();
  let port = wanted;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    request.resume(); // what it may bring along is not looked at
    const wish = wishOf(request, { port, token });
    if (typeof wish === "number") return refuse(response, wish);
    const place = await placeOf(wish.run);
    if (!place) return refuse(response, 404);
    if (wish.what === "stop") return sendStop(response, place);
    if (wish.what === "page") return sendPage(response, place);
    if (streams.size >= MOST_STREAMS) return refuse(response, 503);
    follow(request, response, { place, wish, streams });
  };
  const options = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000 };
  const server = createServer(options, (request, response) => {
    answer(request, response).catch(() => (response.headersSent ? response.destroy() : refuse(response, 500)));
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS);
  port = await listen(server, wanted);
  return {
    port,
    close: async () => {
      const closed = new Promise((done) => server.close(done));
      for (const stream of streams) stream.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Nothing but a status: whoever is refused learns nothing. */
function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-length": 0, connection: "close" }).end();
}

async function sendPage(response: ServerResponse, { view, render }: WatchedPlace): Promise<void> {
  await view.refresh();
  const bytes = await render();
  const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(
    bytes.toString("latin1", 0, 2000),
  )?.[1];
  response.writeHead(200, {
    ...HEADERS,
    "content-type": "text/html; charset=utf-8",
    "content-length": bytes.length,
    "content-security-policy": `${policy?.replaceAll("&#39;", "'")}; frame-ancestors 'none'`,
  });
  response.end(bytes);
}

async function sendStop(response: ServerResponse, { stop }: WatchedPlace): Promise<void> {
  if (!stop) return refuse(response, 404);
  const text = JSON.stringify(await stop());
  response.writeHead(200, { ...HEADERS, "content-type": "application/json" }).end(text);
}

function follow(
  request: IncomingMessage,
  response: ServerResponse,
  { place, wish, streams }: { place: WatchedPlace; wish: Wish; streams: Set<EventStream> },
): void {
  const again = Number(request.headers["last-event-id"]); // of a browser that comes back
  response.socket?.setTimeout(0);
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
  const stream = eventStream(response, place.view.board, Number.isSafeInteger(again) ? again : wish.from);
  for (const set of [streams, place.streams]) set.add(stream);
  response.once("close", () => {
    for (const set of [streams, place.streams]) set.delete(stream);
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((done, failed) => {
    server.once("error", (cause: NodeJS.ErrnoException) => failed(notListening(port, cause)));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      done(typeof address === "object" && address ? address.port : port);
    });
  });
}

function notListening(port: number, cause: NodeJS.ErrnoException): unknown {
  if (cause.code !== "EADDRINUSE" && cause.code !== "EACCES") return cause;
  const why = cause.code === "EACCES" ? "may not be used" : "is used by another program";
  return new UserError(`Port ${port} ${why}.`, { hint: "Choose another one with --port, or leave it out.", cause });
}
