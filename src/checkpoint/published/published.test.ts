import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../util/errors.ts";
import { type FetchOptions, fetchPublished } from "./published.ts";

const CONTENT = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) % 256));
const MD5 = createHash("md5").update(CONTENT).digest("hex");
const ETAG = '"v1"';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let folder: string;
let handlers: Handler[]; // one a request; the last one stays
let requests: { url: string; range: string | undefined; ifRange: string | undefined }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "published-"));
  requests = [];
  handlers = [serve()];
  server = createServer((request, response) => {
    requests.push({
      url: request.url ?? "",
      range: request.headers.range,
      ifRange: request.headers["if-range"] as string,
    });
    const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
    handler?.(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

/** A server that does what it should: ranges only for the same ETag. */
function serve({ etag = ETAG, content = CONTENT } = {}): Handler {
  return ({ headers }, response) => {
    const range = /^bytes=(\d+)-$/.exec(headers.range ?? "");
    const start = range && headers["if-range"] === etag ? Number(range[1]) : 0;
    const body = content.subarray(start);
    const ranged = start > 0 && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(start > 0 ? 206 : 200, { etag, "content-length": body.length, ...ranged });
    response.end(body);
  };
}

const answer =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    response.writeHead(status, headers).end("no");
  };

/** Sends the first bytes and breaks the connection. */
const dropAfter =
  (bytes: number, etag = ETAG): Handler =>
  (_, response) => {
    response.writeHead(200, { etag, "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, bytes), () => setTimeout(() => response.destroy(), 30));
  };

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function get(options: FetchOptions = {}): Promise<string> {
  const entry = {
    name: "rf-detr-test",
    variant: "nano",
    file: "test.pth",
    url: "https://example.org/weights/x.pth",
    md5: MD5,
  };
  const fast = { retries: 3, minDelay: 5, stallTimeout: 300 };
  return fetchPublished("rf-detr-test", {
    cacheFolder: folder,
    baseUrl: origin(),
    weights: [entry],
    ...fast,
    ...options,
  });
}

async function failure(options: FetchOptions = {}): Promise<UserError> {
  const error = await get(options).then(
    () => new Error("no failure"),
    (cause) => cause,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.hint).toContain(`${origin()}/weights/x.pth`);
  expect(error.hint).toContain(join(folder, "test.pth"));
  expect(await readdir(folder)).not.toContain("test.pth");
  return error;
}

async function expectWhole(path: string): Promise<void> {
  expect(path).toBe(join(folder, "test.pth"));
  expect(CONTENT.equals(await readFile(path))).toBe(true);
  expect(await readdir(folder)).toEqual(["test.pth"]);
}

describe("a download", () => {
  it("brings the file, tells its progress, and does not ask again", async () => {
    const seen: [number, number | undefined][] = [];
    await expectWhole(await get({ onProgress: (received, total) => seen.push([received, total]) }));
    expect(seen[0]).toEqual([0, CONTENT.length]);
    expect(seen.at(-1)).toEqual([CONTENT.length, CONTENT.length]);
    await expectWhole(await get());
    expect(requests).toHaveLength(1);
  });

  it("replaces a file in the cache that is not the right one", async () => {
    await writeFile(join(folder, "test.pth"), "not it");
    await expectWhole(await get());
  });

  it("takes a file that was put there by hand, without a network", async () => {
    await writeFile(join(folder, "test.pth"), CONTENT);
    await expectWhole(await get({ baseUrl: "http://127.0.0.1:1" }));
  });

  it("follows a redirect", async () => {
    handlers = [answer(302, { location: `${origin()}/elsewhere` }), serve()];
    await expectWhole(await get());
    expect(requests[1]?.url).toBe("/elsewhere");
  });

  it.each([500, 503, 429, 408])("tries again after %i", async (status) => {
    handlers = [answer(status), answer(status), serve()];
    await expectWhole(await get());
    expect(requests).toHaveLength(3);
  });

  it("waits as long as Retry-After says", async () => {
    handlers = [answer(429, { "retry-after": "1" }), serve()];
    const start = performance.now();
    await expectWhole(await get());
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  it.each([404, 403, 401])("gives up at once after %i", async (status) => {
    handlers = [answer(status)];
    expect((await failure()).message).toContain(String(status));
    expect(requests).toHaveLength(1);
  });

  it("gives up after the last attempt, and says what the server answered", async () => {
    handlers = [answer(500)];
    expect((await failure()).message).toMatch(/500.*tried 4 times/);
    expect(requests).toHaveLength(4);
  });

  it("continues a broken connection where it broke, if the file is still the same", async () => {
    handlers = [dropAfter(100_000), serve()];
    const seen: number[] = [];
    await expectWhole(await get({ onProgress: (received) => seen.push(received) }));
    expect(requests[1]).toMatchObject({ range: "bytes=100000-", ifRange: ETAG });
    expect(seen).toContain(100_000);
  });

  it("starts over where the file changed meanwhile, or the server knows no ranges", async () => {
    handlers = [dropAfter(100_000, '"v0"'), serve()];
    await expectWhole(await get());
    await rm(join(folder, "test.pth"));
    handlers = [dropAfter(100_000), (_, response) => response.writeHead(200, { etag: ETAG }).end(CONTENT)];
    await expectWhole(await get());
  });

  it("starts over where the server gives no ETag, a weak one, or another range than asked for", async () => {
    handlers = [dropAfter(100_000, 'W/"v1"'), serve()];
    await expectWhole(await get());
    expect(requests[1]?.range).toBeUndefined();
    await rm(join(folder, "test.pth"));
    const shifted: Handler = (_, response) => {
      response.writeHead(206, { etag: ETAG, "content-range": "bytes 5-9/300000" }).end("12345");
    };
    handlers = [dropAfter(100_000), shifted, serve()];
    await expectWhole(await get());
  });

  it("continues in the next run what the last one left", async () => {
    handlers = [dropAfter(100_000)];
    await failure({ retries: 0 });
    handlers = [serve()];
    await expectWhole(await get());
    expect(requests.at(-1)?.range).toBe("bytes=100000-");
  });

  it("continues what a killed process left, but only when it is old enough to be one", async () => {
    const part = join(folder, "test.pth.0badcafe.part");
    await writeFile(part, CONTENT.subarray(0, 50_000));
    await writeFile(`${part}.etag`, ETAG);
    await get();
    expect(requests[0]?.range).toBeUndefined();
    await rm(join(folder, "test.pth"));
    await utimes(part, new Date(0), new Date(0));
    await expectWhole(await get());
    expect(requests[1]?.range).toBe("bytes=50000-");
  });

  it("keeps a part that is complete already, which the server answers with 416", async () => {
    await writeFile(join(folder, "test.pth.left.part"), CONTENT);
    await writeFile(join(folder, "test.pth.left.part.etag"), ETAG);
    handlers = [answer(416)];
    await expectWhole(await get());
  });

  it("starts over after 416 where the part is wrong", async () => {
    await writeFile(join(folder, "test.pth.left.part"), "x".repeat(400_000));
    await writeFile(join(folder, "test.pth.left.part.etag"), ETAG);
    handlers = [answer(416), serve()];
    await expectWhole(await get());
  });

  it("gives up a server that hangs before or amid its answer", async () => {
    handlers = [
      () => {},
      (_, response) => {
        response.writeHead(200, { etag: ETAG, "content-length": CONTENT.length });
        response.write(CONTENT.subarray(0, 1000));
      },
      serve(),
    ];
    await expectWhole(await get());
    expect(requests).toHaveLength(3);
    handlers = [() => {}];
    await rm(join(folder, "test.pth"));
    expect((await failure({ retries: 0 })).message).toMatch(/nothing came for 0.3 seconds/);
  });

  it("tries wrong bytes once more and no oftener", async () => {
    const wrong = Buffer.from(CONTENT).fill(7, 5, 9);
    handlers = [serve({ content: wrong }), serve()];
    await expectWhole(await get());
    await rm(join(folder, "test.pth"));
    requests = [];
    handlers = [serve({ content: wrong })];
    expect((await failure()).message).toMatch(/MD5 checksum/);
    expect(requests).toHaveLength(2);
  });

  it("notices content that is cut short without a length", async () => {
    handlers = [(_, response) => response.writeHead(200).end(CONTENT.subarray(0, 1000)), serve()];
    await expectWhole(await get());
  });

  it("says so where there is no network", async () => {
    const spare = createServer();
    await new Promise<void>((done) => spare.listen(0, "127.0.0.1", done));
    const { port } = spare.address() as AddressInfo;
    await new Promise((done) => spare.close(done));
    const error = await get({ baseUrl: `http://127.0.0.1:${port}`, retries: 1 }).catch((cause) => cause);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(/refuses the connection/);
    expect(error.hint).toContain(join(folder, "test.pth"));
  });

  it("stops at once when it is told to, and keeps what came", async () => {
    const stop = new AbortController();
    handlers = [dropAfter(0), () => setTimeout(() => stop.abort(new Error("stopped")), 20)];
    await expect(get({ signal: stop.signal, stallTimeout: 10_000 })).rejects.toThrow("stopped");
    expect(await readdir(folder)).not.toContain("test.pth");
  });

  it("may run several times at once", async () => {
    await Promise.all(Array.from({ length: 4 }, () => get()));
    await expectWhole(await get());
  });

  it("says which folder it cannot write to", async () => {
    await writeFile(join(folder, "file"), "");
    const error = await get({ cacheFolder: join(folder, "file", "cache") }).catch((cause) => cause);
    expect(error).toBeInstanceOf(UserError);
    await mkdir(join(folder, "test.pth"));
    expect(await get().catch((cause) => cause)).toBeInstanceOf(UserError);
  });
});
