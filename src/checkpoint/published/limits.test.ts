import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../util/errors.ts";
import { type DownloadOptions, download } from "./download.ts";

const CONTENT = Buffer.alloc(300_000, "weights");
const MD5 = createHash("md5").update(CONTENT).digest("hex");
const ETAG = '"v1"';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server;
let folder: string;
let handler: Handler;
let ranges: (string | undefined)[]; // one a request

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limits-"));
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

const path = () => join(folder, "test.pth");
const get = (options: DownloadOptions = {}) =>
  download(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, path(), MD5, {
    retries: 0,
    stallTimeout: 300,
    ...options,
  });

async function failure(options: DownloadOptions = {}): Promise<UserError> {
  const error = await get(options).then(
    () => expect.unreachable(),
    (cause) => cause,
  );
  expect(error).toBeInstanceOf(UserError);
  return error;
}

describe("a download ends", () => {
  it("where a byte comes now and then; what came is kept, and the next run goes on there", async () => {
    handler = (_, response) => {
      response.writeHead(200, { etag: ETAG, "content-length": CONTENT.length });
      let at = 0;
      const timer = setInterval(() => response.write(CONTENT.subarray(at, ++at)), 50);
      response.on("close", () => clearInterval(timer));
    };
    const { message } = await failure({ stallTimeout: 1500 }); // longer than a busy machine makes the server wait
    expect(message).toMatch(/only \d+ bytes came for 1.5 seconds/);
    handler = ({ headers }, response) => {
      const start = Number(/\d+/.exec(headers.range ?? "")?.[0] ?? 0);
      response.writeHead(206, { etag: ETAG, "content-range": `bytes ${start}-299999/300000` });
      response.end(CONTENT.subarray(start));
    };
    await get();
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d?-$/)]);
    expect(CONTENT.equals(await readFile(path()))).toBe(true);
  });

  it("at a stated number of bytes, and leaves nothing of what never ends", async () => {
    handler = (_, response) => {
      response.writeHead(200, { etag: ETAG });
      const more = () => {
        while (!response.closed && response.write(CONTENT));
      };
      response.on("drain", more);
      more();
    };
    expect((await failure({ mostBytes: 1_000_000, retries: 3 })).message).toMatch(/more than 1000000 bytes came/);
    expect(await readdir(folder)).toEqual([]);
    expect((await failure({ bytes: CONTENT.length })).message).toMatch(/more than 300000 bytes came/);
    expect(ranges).toHaveLength(2);
  });

  it("before it begins where too much is announced, or another size than is known, or more than the disk has", async () => {
    handler = (_, response) => void response.writeHead(200, { "content-length": 9e14 }).flushHeaders();
    expect((await failure()).message).toMatch(/announces 900000000000000 bytes, and at most 4000000000/);
    expect((await failure({ bytes: CONTENT.length })).message).toMatch(/has 900000000000000 bytes, not 300000/);
    const full = await failure({ mostBytes: 1e15 });
    expect(full.message).toMatch(/takes 900000000000000 bytes, and the disk of .* has \d+ free/);
    expect(full.hint).toMatch(/RFDETR_CACHE/);
    expect(await readdir(folder)).toEqual([]);
  });
});
