// A headless Chromium for tests of pages, spoken to through a pipe. Where there is none, tests that need it skip and say so.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect } from "vitest";

/** The browser's executable: RFDETR_TRAIN_CHROMIUM, else Debian's; undefined where there is none. */
export function findChromium(): string | undefined {
  const given = process.env.RFDETR_TRAIN_CHROMIUM;
  if (given) return existsSync(given) ? given : undefined;
  const places = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);
  return places.find((path) => existsSync(path) && spawnSync(path, ["--version"]).status === 0);
}

export const NO_CHROMIUM = "no chromium: apt-get install chromium, or set RFDETR_TRAIN_CHROMIUM";

export type BrowserPage = {
  /** Open an address and wait until it has loaded; returns the milliseconds that took. */
  open(url: string): Promise<number>;
  /** The value of an expression in the page; a promise is waited for. */
  evaluate<Value>(expression: string): Promise<Value>;
  resize(width: number, height: number): Promise<void>;
  media(options: { dark?: boolean; print?: boolean }): Promise<void>;
  /** A PNG of the whole page. */
  screenshot(): Promise<Buffer>;
  /** A PDF, as printed. */
  pdf(): Promise<Buffer>;
  /** Errors and warnings of the console, uncaught errors, blocked and failed requests, since the page was made. */
  readonly complaints: string[];
  /** Addresses that were asked for, other than data. */
  readonly requests: string[];
};

export type Browser = { page(): Promise<BrowserPage>; close(): Promise<void> };

type Message = {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: never;
  result?: never;
  error?: { message: string };
};
type Listener = (method: string, params: never) => void;

/** Start the browser. Nothing of it stays after `close`. */
export async function launchBrowser(executable: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "browser-"));
  const flags = [
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "no-first-run",
    "disable-dev-shm-usage",
    "remote-debugging-pipe",
  ];
  const quiet = ["disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"];
  const child = spawn(executable, [...[...flags, ...quiet].map((flag) => `--${flag}`), `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const { send, listen } = connect(child);
  return {
    page: () => openPage(send, listen),
    close: async () => {
      const ended = new Promise((done) => child.once("exit", done));
      if (child.exitCode === null) {
        send("Browser.close").catch(() => {}); // its answer may be lost with it
        const late = setTimeout(() => child.kill("SIGKILL"), 5000);
        await ended;
        clearTimeout(late);
      }
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

type Send = <Result>(method: string, params?: object, sessionId?: string) => Promise<Result>;

/** Messages are JSON, each ended by a zero byte. */
function connect(child: ChildProcess): { send: Send; listen: (sessionId: string, listener: Listener) => void } {
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  const listeners = new Map<string, Listener>();
  let [last, rest] = [0, Buffer.alloc(0)];
  const fail = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  child.on("error", fail);
  child.on("exit", (code, signal) => fail(new Error(`the browser ended (${signal ?? code})`)));
  input.on("error", fail);
  output.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const { id, sessionId, method, params, result, error } = JSON.parse(rest.toString("utf8", 0, end)) as Message;
      rest = rest.subarray(end + 1);
      if (id === undefined) listeners.get(sessionId ?? "")?.(method!, params!);
      else {
        const call = waiting.get(id);
        waiting.delete(id);
        if (error) call?.reject(new Error(error.message));
        else call?.resolve(result!);
      }
    }
  });
  return {
    send: (method, params = {}, sessionId) =>
      new Promise((resolve, reject) => {
        last++;
        waiting.set(last, { resolve: resolve as (result: never) => void, reject });
        input.write(`${JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) })}\0`);
      }),
    listen: (sessionId, listener) => listeners.set(sessionId, listener),
  };
}

async function openPage(send: Send, listen: (sessionId: string, listener: Listener) => void): Promise<BrowserPage> {
  const { targetId } = await send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
  const call: Send = (method, params) => send(method, params, sessionId);
  const complaints: string[] = [];
  const requests: string[] = [];
  let loaded: (() => void) | undefined;
  listen(sessionId, (method, params) => watch(method, params, { complaints, requests, loaded: () => loaded?.() }));
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await call(`${domain}.enable`);
  return {
    complaints,
    requests,
    open: async (url) => {
      const done = new Promise<void>((resolve) => {
        loaded = resolve;
      });
      const began = performance.now();
      const { errorText } = await call<{ errorText?: string }>("Page.navigate", { url });
      if (errorText) throw new Error(`${url}: ${errorText}`);
      await done;
      return performance.now() - began;
    },
    evaluate: async <Value>(expression: string) => {
      const answer = await call<{
        result: { value: Value };
        exceptionDetails?: { exception?: { description?: string }; text: string };
      }>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      const { result, exceptionDetails: thrown } = answer;
      if (thrown) throw new Error(thrown.exception?.description ?? thrown.text);
      return result.value;
    },
    resize: (width, height) =>
      call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
    media: ({ dark = false, print = false }) =>
      call("Emulation.setEmulatedMedia", {
        media: print ? "print" : "", // the latter: as it is used
        features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
      }),
    screenshot: async () => {
      const { data } = await call<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: true });
      return Buffer.from(data, "base64");
    },
    pdf: async () => {
      const { data } = await call<{ data: string }>("Page.printToPDF", {
        printBackground: true,
        preferCSSPageSize: true,
      });
      return Buffer.from(data, "base64");
    },
  };
}

type Watched = { complaints: string[]; requests: string[]; loaded: () => void };

function watch(method: string, params: never, { complaints, requests, loaded }: Watched): void {
  if (method === "Page.loadEventFired") loaded();
  if (method === "Network.requestWillBeSent") {
    const { url } = (params as { request: { url: string } }).request;
    if (!url.startsWith("data:")) requests.push(url);
  }
  if (method === "Runtime.exceptionThrown") {
    const { exception, text } = (params as { exceptionDetails: { text: string; exception?: { description?: string } } })
      .exceptionDetails;
    complaints.push(exception?.description ?? text);
  }
  if (method === "Runtime.consoleAPICalled") {
    const { type, args } = params as { type: string; args: { value?: unknown; description?: string }[] };
    if (type === "error" || type === "warning" || type === "assert")
      complaints.push(args.map(({ value, description }) => String(value ?? description)).join(" "));
  }
  if (method === "Log.entryAdded") {
    const { level, text } = (params as { entry: { level: string; text: string } }).entry;
    if (level === "error" || level === "warning") complaints.push(text);
  }
}

/** Open a file in a page: it has to be silent, and to ask for nothing but itself. */
export async function openAlone(page: BrowserPage, path: string): Promise<void> {
  page.complaints.length = 0;
  page.requests.length = 0;
  const url = pathToFileURL(path).href;
  await page.open(url);
  expect(page.complaints).toEqual([]);
  expect(page.requests).toEqual([url]);
}

/** As `openAlone`, and wait until the section of this id is filled, without a complaint. */
export async function openFilled(page: BrowserPage, path: string, id: string): Promise<void> {
  await openAlone(page, path);
  const ready = `document.getElementById('${id}').dataset.ready ? done(true) : setTimeout(look, 5)`;
  expect(await page.evaluate(`new Promise((done) => (function look() { ${ready}; })())`)).toBe(true);
  expect(page.complaints).toEqual([]);
}

/** Tests in one page of a browser of their own, 1200 x 900; where there is no browser they skip, and say so. The page is there once a test runs; `another` opens a second one. */
export function inBrowser(tests: (page: BrowserPage, another: () => Promise<BrowserPage>) => void): void {
  const executable = findChromium();
  describe.skipIf(!executable)(`in a browser${executable ? "" : ` (${NO_CHROMIUM})`}`, () => {
    const page = {} as BrowserPage;
    let browser: Browser | undefined;
    beforeAll(async () => {
      browser = await launchBrowser(executable!);
      Object.assign(page, await browser.page());
      await page.resize(1200, 900);
    });
    afterAll(() => browser?.close());
    tests(page, () => browser!.page());
  });
}
