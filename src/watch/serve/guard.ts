// Who may ask, and for what: pages of this server in a browser on this machine, and people at its terminal. All others get nothing.

import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

export type Asked = { method?: string | undefined; url?: string | undefined; headers: IncomingHttpHeaders };

/** What is asked for. `run`: the id of one run of a folder, undefined: the page at the top. `from`: the revision that the page shows. */
export type Wish = { what: "page" | "events" | "stop"; run: string | undefined; from: number };

/** The header that carries the token of --control. A page of another origin cannot send it without being asked about first, and refused. */
export const CONTROL_HEADER = "x-rfdetr-control";

const PATH = /^(?:\/runs\/([0-9a-f]{16}))?(\/|\/events|\/stop)(?:\?from=(\d{1,15}))?$/;

/** The wish of a request, or the status by which it is refused. `token`: that of --control; undefined where nothing may be done. */
export function wishOf(
  { method, url, headers }: Asked,
  { port, token }: { port: number; token: string | undefined },
): Wish | number {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  // A name that leads here is not one of ours (DNS rebinding), and another page's request says where it is from.
  if (!hosts.includes(headers.host ?? "")) return 403;
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}`) return 403;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return 403;
  if (method !== "GET" && method !== "POST") return 405;
  const [, run, path, from] = PATH.exec(url ?? "") ?? [];
  if (path === undefined) return 404;
  if (method === "GET")
    return path === "/stop" ? 404 : { what: path === "/" ? "page" : "events", run, from: Number(from ?? 0) };
  if (token === undefined || path !== "/stop") return 404;
  if (origin === undefined || !isSame(headers[CONTROL_HEADER], token)) return 403;
  return { what: "stop", run, from: 0 };
}

function isSame(given: unknown, token: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
