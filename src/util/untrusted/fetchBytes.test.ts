import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UserError } from "../errors.ts";
import { type FetchBytesOptions, fetchBytes } from "./fetchBytes.ts";

let servers: Server[];
beforeEach(() => {
  servers = [];
  for (const name of ["http_proxy", "https_proxy", "no_proxy"])
    for (const one of [name, name.toUpperCase()]) vi.stubEnv(one, "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const failure = (url: string, options: Partial<FetchBytesOptions> = {}): Promise<UserError> =>
  fetchBytes(url, { most: 1000, ...options }).then(
    () => expect.unreachable(),
    (error) => error,
  );

test("gives what is there, by the proxy that the environment names", async () => {
  const url = await serve((question, answer) => answer.end(`this is ${question.url}`));
  expect(String(await fetchBytes(`${url}/a`, { most: 1000 }))).toBe("this is /a");
  vi.stubEnv("HTTP_PROXY", url);
  expect(String(await fetchBytes("http://pictures.invalid/b", { most: 1000 }))).toBe(
    "this is http://pictures.invalid/b",
  );
});

test("ends where there is an error, too much, or too little for too long", async () => {
  const none = await serve((_, answer) => answer.writeHead(404).end());
  expect(await failure(`${none}/x.jpg`)).toMatchObject({
    message: `Cannot get ${none}/x.jpg: the server answers 404 Not Found.`,
  });
  const endless = await serve((_, answer) => {
    const timer = setInterval(() => answer.write(Buffer.alloc(300)), 5);
    answer.on("close", () => clearInterval(timer));
  });
  expect((await failure(endless)).message).toBe(`Cannot get ${endless}: it has more than 1000 bytes.`);
  expect((await failure(endless, { most: 1e6, timeout: 200 })).message).toContain("it took more than 0.2 seconds");
  const silent = await serve(() => {});
  expect((await failure(silent, { stallTimeout: 100 })).message).toContain("nothing came for 0.1 seconds");
  const gone = await serve(() => {});
  await new Promise((done) => servers.pop()!.close(done));
  const refused = await failure(gone);
  expect(refused).toBeInstanceOf(UserError);
  expect(refused.message).toContain("the server refuses the connection");
});

test("takes addresses over http and https only, and never prints a password", async () => {
  expect((await failure("file:///etc/hosts")).message).toContain("no address over http or https");
  const { message } = await failure("https://me:secret@pictures.invalid/x.jpg");
  expect(message).toMatch(/https:\/\/pictures\.invalid\/x\.jpg: addresses with a name and a password/);
});

test("a signal ends it with its reason", async () => {
  const silent = await serve(() => {});
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("enough")), 50);
  expect((await failure(silent, { signal: controller.signal })).message).toBe("enough");
});
