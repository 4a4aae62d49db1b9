// One file over HTTP into a folder: retried, resumed, checked, and there whole or not at all; any number of processes may do it at once.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pRetry, { AbortError } from "p-retry";
import { UserError } from "../../util/errors.ts";
import { fileError, syncDirectory } from "../../util/files.ts";
import { namedProxies, networkFailure, request, retryAfter } from "../../util/network.ts";
import { watchPace } from "../../util/untrusted/pace.ts";
import { claimPart, discardPart, releasePart, validatorOf } from "./part.ts";

export type DownloadOptions = {
  /** Called as bytes come in; `total` is undefined where the server does not say. */
  onProgress?: (received: number, total: number | undefined) => void;
  /** Called before each further attempt, with the reason. */
  onRetry?: (reason: string) => void;
  signal?: AbortSignal;
  /** Attempts after the first. */
  retries?: number;
  /** Milliseconds without a byte, or with less than 1000 bytes a second, after which a connection is given up. */
  stallTimeout?: number;
  /** Bytes of the file where they are known, and the most that are taken where they are not. */
  bytes?: number;
  mostBytes?: number;
  /** Milliseconds before the second attempt; doubles from there, with jitter. */
  minDelay?: number;
};

/** What may be better next time. `delay` is what the server asks for, in milliseconds. */
class Retryable extends Error {
  readonly delay: number;
  /** There seems to be no network, so waiting long will not help. */
  readonly offline: boolean;
  constructor(
    message: string,
    { delay = 0, offline = false, cause }: { delay?: number; offline?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.delay = delay;
    this.offline = offline;
  }
}

const MAX_RETRY_AFTER = 60_000;

/** The largest file that is taken where its size is not known: published weights are far smaller. */
const MOST_BYTES = 4e9;

/** Attempts where there seems to be no network. */
const OFFLINE_ATTEMPTS = 3;

/**
 * Bring the file at `url` to `path` and check its MD5. What an earlier attempt left is continued where the server still has
 * the same file. A file that is at `path` already with the right checksum is kept.
 * @throws UserError that says where to put the file by hand
 */
export async function download(url: string, path: string, md5: string, options: DownloadOptions = {}): Promise<void> {
  const { retries = 6, minDelay = 1000, signal, onRetry } = options;
  const byHand = `Download ${url} in another way and put it at ${path}.`;
  try {
    if ((await md5Of(path)) === md5) return;
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw fileError(path, "write", cause);
  }
  const part = await claimPart(path);
  let attempts = 0;
  try {
    const wrong: string[] = [];
    await pRetry(() => attempt(url, part, md5, wrong, options), {
      retries,
      minTimeout: minDelay,
      maxTimeout: 30_000,
      randomize: true,
      ...(signal && { signal }),
      onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
        attempts = attemptNumber;
        if (!(error instanceof Retryable)) throw error;
        if (error.offline && attemptNumber >= OFFLINE_ATTEMPTS) throw error;
        if (retriesLeft === 0) return;
        onRetry?.(error.message);
        if (error.delay > 0) await sleep(error.delay, undefined, { signal });
      },
    });
    await rename(part, path);
    await syncDirectory(dirname(path));
    await rm(validatorOf(part), { force: true });
  } catch (cause) {
    await releasePart(part, path);
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof Retryable) {
      const tries = attempts > 1 ? ` (tried ${attempts} times)` : "";
      throw new UserError(`Cannot download ${url}: ${cause.message}${tries}.`, { hint: byHand, cause });
    }
    if (cause instanceof UserError) throw new UserError(cause.message, { hint: cause.hint ?? byHand, cause });
    throw fileError(path, "write", cause);
  }
}

/** One request. Resolves when the part file is complete and right. */
async function attempt(
  url: string,
  part: string,
  md5: string,
  wrong: string[],
  { onProgress, signal, stallTimeout = 30_000, bytes, mostBytes = MOST_BYTES }: DownloadOptions,
) {
  const pace = watchPace(stallTimeout);
  try {
    const have = (await stat(part).catch(() => undefined))?.size ?? 0;
    const validator = await readFile(validatorOf(part), "utf8").catch(() => "");
    const resumable = have > 0 && validator !== "";
    const response = await request(url, {
      // No compression: ranges and lengths would then count other bytes than those that are kept.
      headers: { "accept-encoding": "identity", ...(resumable && { range: `bytes=${have}-`, "if-range": validator }) },
      signal: AbortSignal.any([pace.signal, ...(signal ? [signal] : [])]),
    });
    if (response.status === 416) {
      await response.body?.cancel();
      if ((await md5Of(part)) === md5) return;
      await discardPart(part);
      throw new Retryable("the server has no more of the file than we have, and that is not right");
    }
    checkStatus(response);
    const continues = response.status === 206 && rangeStart(response) === have && resumable;
    if (response.status === 206 && !continues) {
      await response.body?.cancel();
      await discardPart(part);
      throw new Retryable("the server sent another range than asked for");
    }
    const limits = { bytes, mostBytes };
    await receive(response, part, { start: continues ? have : 0, limits, onBytes: pace.count, onProgress });
    pace.end();
    const found = await md5Of(part);
    if (found === md5) return;
    await discardPart(part);
    if (wrong.includes(found ?? ""))
      throw new UserError(`Cannot download ${url}: ${wrongSum(found, md5)}, again and again.`);
    wrong.push(found ?? "");
    throw new Retryable(wrongSum(found, md5));
  } catch (cause) {
    if (signal?.aborted) throw new AbortError(cause as Error);
    if (pace.signal.aborted) throw new Retryable(withProxies((pace.signal.reason as Error).message), { cause });
    throw networkError(cause);
  } finally {
    pace.end();
  }
}

function withProxies(reason: string): string {
  const proxies = namedProxies();
  return proxies ? `${reason} (${proxies})` : reason;
}

function wrongSum(found: string | undefined, md5: string): string {
  return `what came has the MD5 checksum ${found}, not ${md5}`;
}

function checkStatus(response: Response): void {
  const { status, statusText } = response;
  if (response.ok) return;
  void response.body?.cancel();
  const answer = `the server answers ${status}${statusText && ` ${statusText}`}`;
  if (status >= 500 || [408, 425, 429].includes(status)) {
    throw new Retryable(answer, { delay: Math.min(MAX_RETRY_AFTER, retryAfter(response.headers.get("retry-after"))) });
  }
  throw new UserError(`Cannot download ${response.url}: ${answer}.`);
}

function rangeStart(response: Response): number | undefined {
  const found = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  return found ? Number(found[1]) : undefined;
}

type Receiving = {
  /** Bytes that are there already. */
  start: number;
  limits: { bytes: number | undefined; mostBytes: number };
  onBytes: (count: number) => void;
  onProgress: DownloadOptions["onProgress"];
};

async function receive(response: Response, part: string, { start, limits, onBytes, onProgress }: Receiving) {
  const validator = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  const strong = validator.startsWith("W/") ? "" : validator; // a weak one does not promise the same bytes
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const total = Number.isFinite(length) ? start + length : undefined;
  await checkSize(response, part, total, limits).catch(async (cause) => {
    await response.body?.cancel().catch(() => {});
    throw cause;
  });
  await writeFile(validatorOf(part), strong);
  await writeBody(response, part, {
    start,
    most: total ?? limits.bytes ?? limits.mostBytes,
    total,
    onBytes,
    onProgress,
  });
}

/** What the server announces is the size that is known, below the limit, and fits on the disk. */
async function checkSize(
  response: Response,
  part: string,
  total: number | undefined,
  { bytes, mostBytes }: Receiving["limits"],
): Promise<void> {
  if (total === undefined) return;
  const refuse = (why: string, hint?: string) =>
    new UserError(`Cannot download ${response.url}: ${why}.`, hint === undefined ? {} : { hint });
  if (bytes !== undefined && total !== bytes) throw refuse(`the server's file has ${total} bytes, not ${bytes}`);
  if (total > mostBytes) throw refuse(`the server announces ${total} bytes, and at most ${mostBytes} are taken`);
  const { bavail, bsize } = await statfs(dirname(part));
  const have = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (total - have <= bavail * bsize) return;
  throw refuse(
    `it takes ${total} bytes, and the disk of ${dirname(part)} has ${bavail * bsize} free`,
    "Free some space, or set RFDETR_CACHE to a folder on another disk.",
  );
}

async function writeBody(
  response: Response,
  part: string,
  { start, most, total, onBytes, onProgress }: Omit<Receiving, "limits"> & { most: number; total: number | undefined },
): Promise<void> {
  const file = await open(part, start > 0 ? "r+" : "w");
  try {
    let at = start;
    onProgress?.(at, total);
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      if (at + bytes.length > most) {
        await discardPart(part); // what never ends is not to fill the disk, and is no use later
        throw new UserError(`Cannot download ${response.url}: more than ${most} bytes came.`);
      }
      onBytes(bytes.length);
      await file.write(bytes, 0, bytes.length, at);
      at += bytes.length;
      onProgress?.(at, total);
    }
    if (total !== undefined && at !== total) throw new Retryable(`${at} of ${total} bytes came`);
    await file.truncate(at);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Errors of fetch are TypeErrors whose cause has the code; a broken body is one, too. Errors of files stay what they are. */
function networkError(cause: unknown): unknown {
  if (!(cause instanceof TypeError)) return cause;
  const { reason, offline } = networkFailure(cause);
  return new Retryable(reason, { cause, offline });
}

export async function md5Of(path: string): Promise<string | undefined> {
  const hash = createHash("md5");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  return hash.digest("hex");
}
