import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UserError } from "./errors.ts";
import { networkFailure, request } from "./network.ts";

let servers: Server[];
let asked: string[]; // what the proxy was asked for
let proxy: string;
let target: string;

const listen = async (server: Server) => {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeEach(async () => {
  for (const name of ["http_proxy", "https_proxy", "no_proxy"])
    for (const one of [name, name.toUpperCase()]) vi.stubEnv(one, "");
  servers = [];
  asked = [];
  const relay = createServer((question, answer) => {
    asked.push(`${question.method} ${question.url} ${question.headers["proxy-authorization"] ?? ""}`.trim());
    answer.end("by the proxy");
  });
  relay.on("connect", (question, socket) => {
    asked.push(`CONNECT ${question.url}`);
    socket.end("HTTP/1.1 407 no\r\n\r\n");
  });
  proxy = await listen(relay);
  target = await listen(createServer((_, answer) => answer.end("straight")));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

const get = async (url: string) => (await request(url, {})).text();
const failure = (url: string) =>
  request(url, {}).then(
    () => expect.unreachable(),
    (error) => (error instanceof UserError ? error.message : networkFailure(error).reason),
  );

describe("a request", () => {
  test("goes straight to the server where the environment names no proxy", async () => {
    expect(await get(`http://${target}/x`)).toBe("straight");
    expect(asked).toEqual([]);
  });

  test.each([
    ["HTTP_PROXY", (address: string) => `http://${address}`],
    ["http_proxy", (address: string) => address],
  ])("goes to the proxy that %s names", async (name, write) => {
    vi.stubEnv(name, write(proxy));
    expect(await get(`http://${target}/x`)).toBe("by the proxy");
    expect(asked).toEqual([`GET http://${target}/x`]);
  });

  test("brings the proxy its name and password", async () => {
    vi.stubEnv("HTTP_PROXY", `http://me:secret@${proxy}`);
    await get(`http://${target}/x`);
    expect(asked).toEqual([`GET http://${target}/x Basic ${btoa("me:secret")}`]);
  });

  test.each(["127.0.0.1", "example.org, 127.0.0.1", "*"])("goes straight where NO_PROXY is %s", async (bypass) => {
    vi.stubEnv("HTTP_PROXY", `http://${proxy}`);
    vi.stubEnv("NO_PROXY", bypass);
    expect(await get(`http://${target}/x`)).toBe("straight");
  });

  test("asks the proxy for a tunnel where the address is of https", async () => {
    vi.stubEnv("HTTPS_PROXY", `http://me:secret@${proxy}`);
    expect(await failure("https://server.invalid/x")).toBe(
      `the proxy answers 407, it wants a name and password (HTTPS_PROXY is http://${proxy})`,
    );
    expect(asked).toEqual(["CONNECT server.invalid:443"]);
  });
});

describe("what is said of a failure", () => {
  test("names the proxies where there are some, without their passwords", async () => {
    vi.stubEnv("HTTP_PROXY", "http://me:secret@127.0.0.1:1");
    const reason = await failure(`http://${target}/x`);
    expect(reason).toBe("the server refuses the connection (HTTP_PROXY is http://127.0.0.1:1)");
  });

  test("asks for a network where there is no proxy and no name service", () => {
    const cause = Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" });
    expect(networkFailure(new TypeError("fetch failed", { cause }))).toEqual({
      reason: "the server's name cannot be looked up (is there a network?)",
      offline: true,
    });
  });

  test.each(["socks5://me:secret@127.0.0.1:1", "http://"])("refuses the proxy %s, by its variable", async (value) => {
    vi.stubEnv("HTTPS_PROXY", value);
    const said = await failure(`http://${target}/x`);
    expect(said).toMatch(/^HTTPS_PROXY names no proxy that can be used/);
    expect(said).not.toMatch(/secret/);
  });
});
