// A watcher under test, and requests to it as a browser, or somebody else, would make them.

import { type IncomingMessage, request } from "node:http";
import { type WatchOptions, watch } from "../../src/watch/watch.ts";

export type Watching = { url: string; port: number; token: string; notes: string[]; end: () => Promise<void> };

export async function startWatching(
  dir: string,
  options: Pick<WatchOptions, "control" | "port"> = {},
): Promise<Watching> {
  const controller = new AbortController();
  const notes: string[] = [];
  let ready: (url: string) => void = () => {};
  const opened = new Promise<string>((done) => {
    ready = done;
  });
  const done = watch(dir, {
    ...options,
    signal: controller.signal,
    onReady: ready,
    onNote: (note) => notes.push(note),
  });
  const address = new URL(await Promise.race([opened, done.then(() => Promise.reject(new Error("it ended")))]));
  return {
    ...{ url: address.origin, port: Number(address.port), notes },
    token: address.hash.slice("#control=".length),
    end: async () => {
      controller.abort();
      await done;
    },
  };
}

export type Answer = { status: number; headers: IncomingMessage["headers"]; text: string };
type Asked = { method?: string; headers?: Record<string, string>; host?: string };

/** One request, with the headers that are given and no others but Host. */
export function ask(
  port: number,
  path: string,
  { method = "GET", headers = {}, host = "127.0.0.1" }: Asked = {},
): Promise<Answer> {
  return new Promise((done, failed) => {
    const asked = request({ host, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        done({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    asked.once("error", failed).end();
  });
}

export type Followed = {
  status: number;
  parts: [name: string, value: unknown][];
  events: string[];
  ended: Promise<void>;
  close(): void;
};

/** The events of a page, as they come in. */
export function followEvents(port: number, path: string, headers: Record<string, string> = {}): Promise<Followed> {
  return new Promise((done, failed) => {
    const asked = request({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      const [parts, events]: [Followed["parts"], string[]] = [[], []];
      let rest = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        const blocks = (rest + text).split("\n\n");
        rest = blocks.pop()!;
        for (const block of blocks) {
          const event = /^event: (.*)$/m.exec(block)?.[1];
          if (event !== undefined) events.push(event);
          if (event === "part") parts.push(JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as Followed["parts"][number]);
        }
      });
      const ended = new Promise<void>((end) => response.once("close", () => end()));
      done({ status: response.statusCode!, parts, events, ended, close: () => asked.destroy() });
    });
    asked.once("error", failed).end();
  });
}
