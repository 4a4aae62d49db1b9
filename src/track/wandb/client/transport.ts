// Requests to W&B that are made until they succeed: timeouts, Retry-After, and a difference between "later" and "never".

import { setTimeout as sleep } from "node:timers/promises";
import pRetry, { AbortError } from "p-retry";
import { UserError } from "../../../util/errors.ts";
import { networkFailure, request, retryAfter } from "../../../util/network.ts";
import type { WandbTiming } from "./timing.ts";

/** The server will say the same however often it is asked. `status` is undefined where it answered, but with errors. */
export class Refused extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** What may be better next time; `delay` is what the server asks for, in milliseconds. */
class Unanswered extends Error {
  readonly delay: number;
  constructor(message: string, { delay = 0, cause }: { delay?: number; cause?: unknown } = {}) {
    super(message, { cause });
    this.delay = delay;
  }
}

export type Transport = {
  /** The `data` of a GraphQL request. Rejects with Refused only, or when `stop` was called. */
  graphql<T>(query: string, variables: object): Promise<T>;
  /** Post JSON under the server's address. Rejects as `graphql` does. */
  post(path: string, body: unknown): Promise<void>;
  /**
   * Upload bytes to an address that the server gave, often another server's. Rejects as `graphql` does, such as when the
   * address has expired, and after some attempts.
   */
  put(url: string, bytes: Uint8Array, headers: Record<string, string>): Promise<void>;
  /** Time is short from now on: what waits begins again at once, and no pause is long. */
  hurry(): void;
  /** End everything; what is under way rejects. */
  stop(): void;
};

export type TransportOptions = {
  baseUrl: string;
  apiKey: string;
  timing: WandbTiming;
  /** No request has succeeded for `timing.tellAfter`; said once until one does. */
  onSilent?: ((reason: string) => void) | undefined;
  /** No request has succeeded for `timing.giveUpAfter`, or `timing.reachWithin`: for `silence` milliseconds; said once until one does. */
  onGiveUp?: ((reason: string, silence: number) => void) | undefined;
  /** A request has succeeded after `onSilent`. */
  onAnswer?: (() => void) | undefined;
};

/** Statuses below 500 that may be better next time. */
const PASSING = [408, 421, 423, 425, 429];

const UPLOAD_RETRIES = 6;

const HURRIED = new Error("hurried");
const STOPPED = new Error("stopped");

export function openTransport({ baseUrl, apiKey, timing, onSilent, onGiveUp, onAnswer }: TransportOptions): Transport {
  const authorization = `Basic ${Buffer.from(`api:${apiKey}`).toString("base64")}`;
  const underWay = new Set<AbortController>();
  let hurried = false;
  let round = new AbortController();
  let failingSince: number | undefined;
  let told = false;
  let gaveUp = false;
  let reached = false; // an answer of any kind has come

  const succeeded = () => {
    failingSince = undefined;
    if (told) onAnswer?.();
    told = false;
    gaveUp = false;
  };
  const failed = (reason: string) => {
    failingSince ??= performance.now();
    const silence = performance.now() - failingSince;
    if (silence >= timing.tellAfter && !told) {
      told = true;
      onSilent?.(reason);
    }
    if (silence >= (reached ? timing.giveUpAfter : timing.reachWithin) && !gaveUp) {
      gaveUp = true;
      onGiveUp?.(reason, silence);
    }
  };

  /** Attempt until it succeeds or is refused. Hurrying starts again, with short pauses. */
  const persist = async <T>(
    attempt: (signal: AbortSignal) => Promise<T>,
    { retries = Number.POSITIVE_INFINITY } = {},
  ): Promise<T> => {
    const speaksForServer = retries === Number.POSITIVE_INFINITY;
    for (;;) {
      const { signal } = round;
      try {
        const result = await pRetry(() => limited(attempt), {
          retries,
          minTimeout: timing.firstDelay,
          maxTimeout: hurried ? timing.firstDelay : timing.longestDelay,
          randomize: true,
          signal,
          onFailedAttempt: async ({ error }) => {
            if (!(error instanceof Unanswered)) throw error;
            if (signal.aborted) return;
            if (speaksForServer) failed(error.message);
            const asked = Math.max(error.delay, gaveUp ? timing.probeEvery : 0);
            const pause = Math.min(asked, hurried ? timing.closeWithin / 4 : timing.longestRetryAfter);
            if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => {});
          },
        });
        if (speaksForServer) succeeded();
        return result;
      } catch (error) {
        if (signal.reason !== HURRIED || !signal.aborted || error instanceof Refused) throw error;
      }
    }
  };
  /** One attempt within the time that it may take. */
  const limited = async <T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const controller = new AbortController();
    const limit = hurried ? Math.min(timing.request, timing.closeWithin / 2) : timing.request;
    const late = new Unanswered(`no answer within ${limit / 1000} seconds`);
    const timer = setTimeout(() => controller.abort(late), limit);
    underWay.add(controller);
    try {
      return await attempt(controller.signal);
    } catch (error) {
      if (error instanceof Refused) throw new AbortError(error);
      if (error instanceof UserError) throw new AbortError(new Refused(error.message)); // a proxy that cannot be used
      if (error instanceof Unanswered) throw error;
      if (controller.signal.aborted) throw unanswered(controller.signal.reason);
      throw unanswered(error);
    } finally {
      clearTimeout(timer);
      underWay.delete(controller);
    }
  };
  const exchange = async (url: string, init: RequestInit, signal: AbortSignal): Promise<string> => {
    const response = await request(url, { ...init, signal, redirect: "manual" });
    reached = true;
    const text = await response.text();
    if (response.ok) return text;
    const answer = [`HTTP ${response.status}`, reasonIn(text)].filter(Boolean).join(": ");
    if (response.status >= 500 || PASSING.includes(response.status))
      throw new Unanswered(answer, { delay: retryAfter(response.headers.get("retry-after")) });
    throw new Refused(answer, response.status);
  };
  const postJson = (path: string, body: unknown, signal: AbortSignal) =>
    exchange(
      `${baseUrl}${path}`,
      { method: "POST", headers: { "content-type": "application/json", authorization }, body: JSON.stringify(body) },
      signal,
    );

  const interrupt = (reason: Error) => {
    const old = round;
    if (reason === HURRIED) round = new AbortController(); // after a stop nothing begins again
    old.abort(reason);
    for (const controller of underWay) controller.abort(reason);
  };
  return {
    graphql: <T>(query: string, variables: object) =>
      persist(async (signal) => {
        const operationName = /^\s*(?:query|mutation)\s+(\w+)/.exec(query)?.[1];
        const text = await postJson("/graphql", { operationName, query, variables }, signal);
        const { data, errors } = parse(text) as { data?: T; errors?: { message?: string }[] };
        if (errors?.length) throw new Refused(errors.map(({ message }) => message ?? "an error").join("; "));
        if (!data) throw new Unanswered("an answer without data");
        return data;
      }),
    post: (path, body) =>
      persist(async (signal) => {
        const text = await postJson(path, body, signal);
        if (text.trim() !== "") parse(text); // a page of a proxy is no acknowledgement
      }),
    put: (url, bytes, headers) =>
      persist(
        async (signal) => {
          if (!URL.canParse(url)) throw new Refused("an address for an upload that is none");
          await exchange(url, { method: "PUT", headers, body: bytes as Uint8Array<ArrayBuffer> }, signal);
        },
        { retries: UPLOAD_RETRIES },
      ),
    hurry: () => {
      if (hurried) return;
      hurried = true;
      interrupt(HURRIED);
    },
    stop: () => interrupt(STOPPED),
  };
}

/** What the server says about a failure, where it says it as W&B does. */
function reasonIn(text: string): string {
  try {
    const { error, errors } = JSON.parse(text) as { error?: unknown; errors?: { message?: unknown }[] };
    const reason = errors?.[0]?.message ?? error;
    return typeof reason === "string" ? reason.slice(0, 200) : "";
  } catch {
    return "";
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Unanswered("an answer that is no JSON", { cause });
  }
}

function unanswered(error: unknown): Unanswered {
  return error instanceof Unanswered ? error : new Unanswered(networkFailure(error).reason, { cause: error });
}
