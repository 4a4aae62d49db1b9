// A small file over HTTP into memory, within bounds of size and time.

import { UserError } from "../errors.ts";
import { namedProxies, networkFailure, request } from "../network.ts";
import { watchPace } from "./pace.ts";

export type FetchBytesOptions = {
  /** Bytes that are taken at most. */
  most: number;
  /** Milliseconds without a byte, or with very few, after which the connection is given up. */
  stallTimeout?: number;
  /** Milliseconds that all of it may take. */
  timeout?: number;
  signal?: AbortSignal | undefined;
};

/**
 * What is at an http or https address, by the proxy that the environment names. Throws a UserError that names the address
 * where it is none, does not answer, answers with an error, or has more than `most` bytes; the reason of `signal` where it is raised.
 */
export async function fetchBytes(
  url: string,
  { most, stallTimeout = 30_000, timeout = 300_000, signal }: FetchBytesOptions,
): Promise<Buffer> {
  const refuse = (why: string, hint?: string, cause?: unknown) =>
    new UserError(`Cannot get ${shown(url)}: ${why}.`, { ...(hint && { hint }), cause });
  const { username, password, protocol } = URL.canParse(url) ? new URL(url) : { protocol: "" };
  if (!/^https?:$/.test(protocol)) throw refuse("it is no address over http or https");
  if (username || password)
    throw refuse(
      "addresses with a name and a password are not taken",
      "Download it in another way, and give the file.",
    );
  const pace = watchPace(stallTimeout);
  const late = AbortSignal.timeout(timeout);
  try {
    const given = AbortSignal.any([pace.signal, late, ...(signal ? [signal] : [])]);
    const response = await request(url, { signal: given });
    if (!response.ok) {
      void response.body?.cancel();
      throw refuse(`the server answers ${response.status}${response.statusText && ` ${response.statusText}`}`);
    }
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > most) throw refuse(`it has more than ${most} bytes`);
      pace.count(part.length);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof UserError) throw cause;
    const slow = pace.signal.aborted ? (pace.signal.reason as Error).message : `it took more than ${timeout / 1000} seconds`; // biome-ignore format: one line
    if (!pace.signal.aborted && !late.aborted) throw refuse(networkFailure(cause).reason, undefined, cause);
    const proxies = namedProxies();
    throw refuse(proxies ? `${slow} (${proxies})` : slow, undefined, cause);
  } finally {
    pace.end();
  }
}

/** An address without the name and password that it may hold. */
function shown(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, "$1");
}
