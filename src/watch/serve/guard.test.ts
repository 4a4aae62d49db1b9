import { expect, test } from "vitest";
import { CONTROL_HEADER, wishOf } from "./guard.ts";

const port = 6006;
const host = `127.0.0.1:${port}`;
const ask = (
  url: string,
  headers: Record<string, string> = {},
  { method = "GET", token = undefined as string | undefined } = {},
) => wishOf({ method, url, headers: { host, ...headers } }, { port, token });

test("a page and its events are had by this machine's names only", () => {
  expect(ask("/")).toEqual({ what: "page", run: undefined, from: 0 });
  expect(ask("/events?from=17")).toEqual({ what: "events", run: undefined, from: 17 });
  expect(ask("/runs/0123456789abcdef/")).toMatchObject({ what: "page", run: "0123456789abcdef" });
  expect(ask("/", { host: `localhost:${port}` })).toMatchObject({ what: "page" });
  for (const other of [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1",
    "127.0.0.1:80",
    `0.0.0.0:${port}`,
    `[::1]:${port}`,
    "",
  ])
    expect(ask("/", { host: other }), other).toBe(403);
  expect(wishOf({ method: "GET", url: "/", headers: {} }, { port, token: undefined })).toBe(403);
});

test("pages of other origins, also on other ports of this machine, get nothing", () => {
  expect(ask("/events", { origin: `http://${host}`, "sec-fetch-site": "same-origin" })).toMatchObject({
    what: "events",
  });
  expect(ask("/", { "sec-fetch-site": "none" })).toMatchObject({ what: "page" });
  for (const origin of [
    "http://evil.example",
    "http://127.0.0.1:3000",
    `https://${host}`,
    `http://localhost:${port}`,
    "null",
  ])
    expect(ask("/events", { origin }), origin).toBe(403);
  for (const site of ["cross-site", "same-site", "anything"])
    expect(ask("/", { "sec-fetch-site": site }), site).toBe(403);
});

test("no address but those of pages, events and stop means anything", () => {
  const paths = [
    "/../../etc/passwd",
    "/%2e%2e/x",
    "/runs/",
    "/runs/trees/",
    "/runs/0123456789abcde/",
    "/metrics.jsonl",
    "//",
    "/events/",
  ];
  for (const url of [...paths, "/?from=x", "/events?from=1&x=2", "/stop", `http://${host}/`, "*", ""])
    expect(ask(url), url).toBe(404);
  for (const method of ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
    expect(ask("/", {}, { method }), method).toBe(405);
});

test("only whoever has the token may ask a run to stop, from a page of this server", () => {
  const origin = `http://${host}`;
  const post = (headers: Record<string, string>, token?: string) => ask("/stop", headers, { method: "POST", token });
  expect(post({ origin, [CONTROL_HEADER]: "secret" }, "secret")).toMatchObject({ what: "stop" });
  expect(post({ origin, [CONTROL_HEADER]: "secret" })).toBe(404); // without --control
  for (const headers of [
    { origin },
    { origin, [CONTROL_HEADER]: "guess!" },
    { origin, [CONTROL_HEADER]: "secret2" },
    { [CONTROL_HEADER]: "secret" },
    { origin: "http://evil.example", [CONTROL_HEADER]: "secret" },
  ])
    expect(post(headers as unknown as Record<string, string>, "secret")).toBe(403);
  expect(ask("/", { origin, [CONTROL_HEADER]: "secret" }, { method: "POST", token: "secret" })).toBe(404);
});
