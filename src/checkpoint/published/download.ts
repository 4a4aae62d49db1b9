// One file over HTTP into a folder: retried, resumed, checked, and there whole or not at all; any number of processes may do it at once.

import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pRetry, { AbortError } from "p-retry";
import { UserError } from "../../util/errors.ts";
import { fileError, syncDirectory } from "../../util/files.ts";
import { failureReason, isOffline, retryAfter } from "../../util/http.ts";

export type DownloadOptions = {
  /** Called as bytes come in; `total` is undefined where the server does not say. */
  onProgress?: (received: number, total: number | undefined) => void;
  /** Called before each further attempt, with the reason. */
  onRetry?: (reason: string) => void;
  signal?: AbortSignal;
  /** Attempts after the first. */
  retries?: number;
  /** Milliseconds without a byte after which a connection is given up. */
  stallTimeout?: number;
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
    if (cause instanceof UserError) throw new UserError(cause.message, { hint: byHand, cause });
    throw fileError(path, "write", cause);
  }
}

/** One request. Resolves when the part file is complete and right. */
async function attempt(
  url: string,
  part: string,
  md5: string,
  wrong: string[],
  { onProgress, signal, stallTimeout = 30_000 }: DownloadOptions,
) {
  const stall = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stall.abort(new Error("stalled")), stallTimeout);
  };
  alive();
  try {
    const have = (await stat(part).catch(() => undefined))?.size ?? 0;
    const validator = await readFile(validatorOf(part), "utf8").catch(() => "");
    const resumable = have > 0 && validator !== "";
    const response = await fetch(url, {
      // No compression: ranges and lengths would then count other bytes than those that are kept.
      headers: { "accept-encoding": "identity", ...(resumable && { range: `bytes=${have}-`, "if-range": validator }) },
      signal: AbortSignal.any([stall.signal, ...(signal ? [signal] : [])]),
    });
    if (response.status === 416) {
      await response.body?.cancel();
      if ((await md5Of(part)) === md5) return;
      await discard(part);
      throw new Retryable("the server has no more of the file than we have, and that is not right");
    }
    checkStatus(response);
    const continues = response.status === 206 && rangeStart(response) === have && resumable;
    if (response.status === 206 && !continues) {
      await response.body?.cancel();
      await discard(part);
      throw new Retryable("the server sent another range than asked for");
    }
    await receive(response, part, continues ? have : 0, alive, onProgress);
    clearTimeout(timer);
    const found = await md5Of(part);
    if (found === md5) return;
    await discard(part);
    if (wrong.includes(found ?? ""))
      throw new UserError(`Cannot download ${url}: ${wrongSum(found, md5)}, again and again.`);
    wrong.push(found ?? "");
    throw new Retryable(wrongSum(found, md5));
  } catch (cause) {
    if (signal?.aborted) throw new AbortError(cause as Error);
    if (stall.signal.aborted) throw new Retryable(`nothing came for ${stallTimeout / 1000} seconds`, { cause });
    throw networkError(cause);
  } finally {
    clearTimeout(timer);
  }
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

async function receive(
  response: Response,
  part: string,
  start: number,
  alive: () => void,
  onProgress: DownloadOptions["onProgress"],
): Promise<void> {
  const validator = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  const strong = validator.startsWith("W/") ? "" : validator; // a weak one does not promise the same bytes
  await writeFile(validatorOf(part), strong);
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const total = Number.isFinite(length) ? start + length : undefined;
  const file = await open(part, start > 0 ? "r+" : "w");
  try {
    let at = start;
    onProgress?.(at, total);
    for await (const chunk of response.body ?? []) {
      alive();
      const bytes = chunk as Uint8Array;
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
  const inner = cause.cause as { code?: string; message?: string } | undefined;
  const known = failureReason(inner?.code);
  const nameless = inner?.code === "ENOTFOUND" || inner?.code === "EAI_AGAIN";
  const reason = known ? `${known}${nameless ? " (is there a network?)" : ""}` : (inner?.message ?? cause.message);
  return new Retryable(reason, { cause, offline: isOffline(inner?.code) });
}

async function md5Of(path: string): Promise<string | undefined> {
  const hash = createHash("md5");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  return hash.digest("hex");
}

// A part file belongs to the one process that renamed it to a name of its own, so two never write one file. Beside it lies
// the server's validator (an ETag). One that nobody has written to for a while is an orphan of a killed process.

const ORPHAN_AGE = 600_000; // far beyond the longest pause of a live download

function validatorOf(part: string): string {
  return `${part}.etag`;
}

async function claimPart(path: string): Promise<string> {
  const own = `${path}.${randomBytes(4).toString("hex")}.part`;
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || !name.endsWith(".part")) continue;
    const found = join(dirname(path), name);
    const age = Date.now() - ((await stat(found).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (name !== `${prefix}left.part` && age < ORPHAN_AGE) continue;
    try {
      await rename(found, own);
      await rename(validatorOf(found), validatorOf(own)).catch(() => {});
      return own;
    } catch {
      // Another process was quicker.
    }
  }
  return own;
}

/** Leave what came for the next run. */
async function releasePart(part: string, path: string): Promise<void> {
  const left = `${path}.left.part`;
  await rename(validatorOf(part), validatorOf(left)).catch(() => {});
  await rename(part, left).catch(() => {});
}

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(validatorOf(part), { force: true });
}
