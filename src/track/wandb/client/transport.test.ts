import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { FAST } from "../../../../tests/support/wandbRun.ts";
import { openTransport, Refused, type TransportOptions } from "./transport.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let server: Server | undefined;
afterEach(() => {
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
});

/** A server that gives one answer after the other, the last one again and again. */
async function answering(...answers: Answer[]) {
  const times: number[] = [];
  server = createServer((request, response) => {
    const answer = answers[Math.min(times.length, answers.length - 1)]!;
    times.push(performance.now());
    request.resume().on("end", () => answer(response, request));
  });
  await new Promise<void>((done) => server!.listen(0, "127.0.0.1", done));
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, times };
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end("{}");
const json =
  (value: unknown): Answer =>
  (response) =>
    void response.end(JSON.stringify(value));
const text =
  (value: string): Answer =>
  (response) =>
    void response.end(value);
const hang: Answer = () => {};

const open = (baseUrl: string, options: Partial<TransportOptions> = {}) =>
  openTransport({ baseUrl, apiKey: "secret", timing: FAST, ...options });

it("what may be better next time is tried again until it succeeds", async () => {
  const broken: Answer = (response) => void response.destroy();
  const failures = [500, 502, 503, 408, 429].map((code) => status(code));
  const { baseUrl, times } = await answering(
    ...failures,
    broken,
    hang,
    text("<html>"),
    json({}),
    json({ data: { a: 1 } }),
  );
  expect(await open(baseUrl).graphql("query Q { a }", {})).toEqual({ a: 1 });
  expect(times).toHaveLength(10);
});

it("a refusal is final and has its status", async () => {
  for (const code of [301, 400, 401, 403, 404, 409, 422]) {
    const { baseUrl, times } = await answering(status(code));
    await expect(open(baseUrl).post("/x", {})).rejects.toMatchObject({ message: `HTTP ${code}`, status: code });
    expect(times).toHaveLength(1);
    server!.close();
  }
});

it("what the server says about a failure is said", async () => {
  const says =
    (body: object): Answer =>
    (response) =>
      void response.writeHead(400).end(JSON.stringify(body));
  for (const body of [{ error: "no such thing" }, { errors: [{ message: "no such thing" }] }]) {
    const { baseUrl } = await answering(says(body));
    await expect(open(baseUrl).post("/x", {})).rejects.toThrow("HTTP 400: no such thing");
    server!.close();
  }
});

it("errors in an answer of GraphQL are a refusal, whatever the status", async () => {
  const { baseUrl } = await answering(
    json({ data: { upsertBucket: null }, errors: [{ message: "permission denied" }] }),
  );
  const refused = open(baseUrl).graphql("mutation M { a }", {});
  await expect(refused).rejects.toBeInstanceOf(Refused);
  await expect(refused).rejects.toThrow("permission denied");
});

it("a page that is no JSON is no acknowledgement, an empty answer is one", async () => {
  const { baseUrl, times } = await answering(text("<html>sign in</html>"), text(""));
  await open(baseUrl).post("/x", {});
  expect(times).toHaveLength(2);
});

it("Retry-After is honoured, in seconds and as a date, up to a limit", async () => {
  const inTwoSeconds = () => new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toUTCString();
  const cases: [() => string, number][] = [
    [() => "1", 950],
    [inTwoSeconds, 950],
    [() => "3600", 950], // the limit is one second here
    [() => "soon", 0],
  ];
  for (const [value, least] of cases) {
    const { baseUrl, times } = await answering(status(429, { "retry-after": value() }), json({}));
    await open(baseUrl).post("/x", {});
    expect(times[1]! - times[0]!, value()).toBeGreaterThanOrEqual(least);
    server!.close();
  }
});

it("the key goes to the server and not to where uploads go", async () => {
  const seen: (string | undefined)[] = [];
  const { baseUrl } = await answering((response, request) => {
    seen.push(request.headers.authorization);
    response.end("{}");
  });
  const transport = open(baseUrl);
  await transport.post("/x", {});
  await transport.put(`${baseUrl}/upload`, new Uint8Array([1]), {});
  expect(seen).toEqual([`Basic ${Buffer.from("api:secret").toString("base64")}`, undefined]);
});

it("an upload is given up after some attempts, since its address may have expired", async () => {
  const { baseUrl, times } = await answering(status(503));
  await expect(open(baseUrl).put(`${baseUrl}/upload`, new Uint8Array([1]), {})).rejects.toThrow("HTTP 503");
  expect(times).toHaveLength(7);
  await expect(open(baseUrl).put("nowhere", new Uint8Array([1]), {})).rejects.toBeInstanceOf(Refused);
});

it("silence is told once, then that it lasts, then that it is over", async () => {
  const heard: string[] = [];
  const { baseUrl } = await answering(...Array.from({ length: 12 }, () => status(500)), json({}));
  const transport = open(baseUrl, {
    timing: { ...FAST, firstDelay: 50, tellAfter: 100, giveUpAfter: 300, probeEvery: 50 },
    onSilent: (reason) => heard.push(`silent: ${reason}`),
    onGiveUp: (reason) => heard.push(`given up: ${reason}`),
    onAnswer: () => heard.push("answers"),
  });
  await transport.post("/x", {});
  expect(heard).toEqual(["silent: HTTP 500", "given up: HTTP 500", "answers"]);
});

it("a server from which nothing ever came is given up sooner than one that is in trouble", async () => {
  const timing = { ...FAST, firstDelay: 20, longestDelay: 40, giveUpAfter: 60_000, reachWithin: 200 };
  const { baseUrl } = await answering(status(500));
  const heard: [string, number][] = [];
  const onGiveUp = (reason: string, silence: number) => heard.push([reason, silence]);
  const troubled = open(baseUrl, { timing, onGiveUp });
  const waiting = troubled.post("/x", {}).catch(() => {});
  await sleep(500);
  troubled.stop();
  await waiting;
  expect(heard).toEqual([]);
  server!.closeAllConnections();
  await new Promise((done) => server!.close(done));
  const closed = open(baseUrl, { timing, onGiveUp });
  const refused = closed.post("/x", {}).catch(() => {});
  await vi.waitFor(() => expect(heard).toHaveLength(1), { timeout: 5000 });
  closed.stop();
  await refused;
  expect(heard[0]![1]).toBeGreaterThanOrEqual(200);
});

it("hurrying ends a long pause and a request that hangs, and stopping ends everything", async () => {
  const slow = { ...FAST, request: 60_000, firstDelay: 50, longestRetryAfter: 60_000, closeWithin: 4000 };
  const { baseUrl } = await answering(status(429, { "retry-after": "60" }), json({}));
  const transport = open(baseUrl, { timing: slow });
  const posted = transport.post("/x", {});
  await sleep(200);
  transport.hurry();
  await posted;
  server!.close();

  const second = await answering(hang, json({}));
  const other = open(second.baseUrl, { timing: slow });
  const hanging = other.post("/x", {});
  await sleep(200);
  other.hurry();
  await hanging;
  expect(second.times).toHaveLength(2);
  server!.close();

  const third = await answering(hang);
  const last = open(third.baseUrl, { timing: slow });
  const never = last.post("/x", {});
  await sleep(200);
  last.stop();
  await expect(never).rejects.toThrow("stopped");
  await expect(last.post("/x", {})).rejects.toThrow("stopped");
});

it("a server that cannot be reached is named by what is wrong", async () => {
  const heard: string[] = [];
  const { baseUrl } = await answering(json({}));
  server!.close();
  const transport = open(baseUrl, { timing: { ...FAST, tellAfter: 0 }, onSilent: (reason) => heard.push(reason) });
  const posted = transport.post("/x", {});
  await sleep(200);
  transport.stop();
  await expect(posted).rejects.toThrow("stopped");
  expect(heard).toEqual(["the server refuses the connection"]);
});

it("requests go by the proxy that the environment names; one that cannot be used is said at once", async () => {
  const asked: string[] = [];
  const { baseUrl } = await answering((response, request) => {
    asked.push(`${request.method} ${request.url}`);
    json({ data: { a: 1 } })(response, request);
  });
  vi.stubEnv("http_proxy", baseUrl);
  expect(await open("http://wandb.invalid").graphql("query Q { a }", {})).toEqual({ a: 1 });
  expect(asked).toEqual(["POST http://wandb.invalid/graphql"]);
  vi.stubEnv("http_proxy", "ftp://proxy.invalid");
  const refused = await open("http://wandb.invalid")
    .graphql("query Q { a }", {})
    .catch((error) => error);
  expect(refused).toBeInstanceOf(Refused);
  expect((refused as Error).message).toMatch(/http_proxy names no proxy/);
});
