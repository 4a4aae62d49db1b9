// Requests over HTTP, by the proxy that the environment names: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case.

import type { EnvHttpProxyAgent } from "undici";
import { UserError } from "./errors.ts";

type Proxy = { variable: string; url: URL };

/**
 * As `fetch`, through a proxy where the environment names one for the address.
 * @throws UserError for a proxy that is no address over http or https, TypeError as `fetch` does
 */
export async function request(url: string, init: RequestInit): Promise<Response> {
  const https = proxyOf("https_proxy");
  const http = proxyOf("http_proxy");
  if (!https && !http) return fetch(url, init);
  // Loaded only here: the library's own fetch fits its agents, whatever Node brings along.
  const undici = await import("undici");
  const bypass = process.env.no_proxy || process.env.NO_PROXY || "";
  const key = [https?.url.href, http?.url.href, bypass].join("\n");
  if (agent?.key !== key) {
    void agent?.dispatcher.close();
    const options = { httpsProxy: https?.url.href ?? "", httpProxy: http?.url.href ?? "", noProxy: bypass };
    agent = { key, dispatcher: new undici.EnvHttpProxyAgent({ ...options, proxyTunnel: false }) };
  }
  const { dispatcher } = agent;
  return (await undici.fetch(url, { ...(init as object), dispatcher })) as unknown as Response;
}

let agent: { key: string; dispatcher: EnvHttpProxyAgent } | undefined;

/** The proxy of a variable, small letters first; curl's way of leaving out `http://` is understood. */
function proxyOf(name: string): Proxy | undefined {
  const variable = [name, name.toUpperCase()].find((one) => process.env[one]);
  if (!variable) return undefined;
  const value = process.env[variable]!.trim();
  const text = value.includes("://") ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UserError(`${variable} names no proxy that can be used: ${url ? shown(url) : "it is no address"}.`, {
      hint: `Give an address such as http://proxy.example:3128, or unset ${variable}.`,
    });
  return { variable, url };
}

/** An address without the name and password that it may hold. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}`;
}

/** Which proxies the environment names, for a message: "HTTPS_PROXY is http://proxy:3128"; undefined where none. */
export function namedProxies(): string | undefined {
  const set = [proxyOf("https_proxy"), proxyOf("http_proxy")].filter((one) => one !== undefined);
  return set.map(({ variable, url }) => `${variable} is ${shown(url)}`).join(", ") || undefined;
}

const REASONS: Record<string, string> = {
  ENOTFOUND: "the server's name is not known",
  EAI_AGAIN: "the server's name cannot be looked up",
  ECONNREFUSED: "the server refuses the connection",
  ECONNRESET: "the connection broke",
  UND_ERR_SOCKET: "the connection broke",
  ENETUNREACH: "there is no network",
  UND_ERR_CONNECT_TIMEOUT: "the server does not answer",
};
const NAMELESS = ["ENOTFOUND", "EAI_AGAIN"];

/** What a failed request means. `offline`: there seems to be no network, so waiting long will not help. */
export type NetworkFailure = { reason: string; offline: boolean };

/** Why `request` failed, in words; with the proxies where the environment names some. The code stands in the innermost cause. */
export function networkFailure(error: unknown): NetworkFailure {
  let inner = error as { code?: string; message?: string; cause?: unknown };
  while (inner.cause instanceof Error) inner = inner.cause as typeof inner;
  const { code = "", message } = inner;
  const refused = /^Proxy response \((\d+)\)/.exec(message ?? "")?.[1];
  const known = refused
    ? `the proxy answers ${refused}${refused === "407" ? ", it wants a name and password" : ""}`
    : REASONS[code];
  const reason = known ?? (message || code || "the request failed");
  const proxies = namedProxies();
  const remark = proxies ?? (NAMELESS.includes(code) ? "is there a network?" : undefined);
  return { reason: remark ? `${reason} (${remark})` : reason, offline: [...NAMELESS, "ENETUNREACH"].includes(code) };
}

/** Milliseconds that a Retry-After header asks for: a number of seconds or a date. */
export function retryAfter(header: string | null): number {
  if (header === null) return 0;
  const delay = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Math.max(0, delay || 0);
}
