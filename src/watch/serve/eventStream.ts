// Server-sent events of one page: what has changed on a board, for a browser that may be slow, asleep or gone.

import type { ServerResponse } from "node:http";
import type { Board } from "./board.ts";

export type EventStream = {
  /** Send what has changed; later, where the browser has not taken yet what it was sent before. */
  push(): void;
  /** Have the browser read the page again, which is another one now. */
  reload(): void;
  close(): void;
};

/** A line now and then, by which both sides notice that the other one is gone. */
const BEAT_MS = 15_000;
/** A browser that takes nothing for so long is let go: it comes back by itself where it lives. */
const STUCK_MS = 60_000;
/** How long a browser waits before it comes back. */
const RETRY_MS = 2000;

/** `seen`: the revision that the page shows. A client holds at most one sending: what changes meanwhile comes with the next one. */
export function eventStream(response: ServerResponse, board: Board, seen: number): EventStream {
  let sent = seen;
  let stuckSince: number | undefined;
  const write = (text: string) => {
    if (response.write(text)) return;
    stuckSince = Date.now();
    response.once("drain", () => {
      stuckSince = undefined;
      push();
    });
  };
  const push = () => {
    if (stuckSince !== undefined || response.destroyed || sent === board.revision) return;
    const news = board.since(sent);
    sent = board.revision;
    const events = news.map(({ name, json }) => `event: part\ndata: [${JSON.stringify(name)},${json}]\n\n`);
    if (events.length > 0) write(`${events.join("")}id: ${sent}\nevent: whole\ndata: ${sent}\n\n`);
  };
  const beat = setInterval(() => {
    if (stuckSince === undefined) write(": still here\n\n");
    else if (Date.now() - stuckSince > STUCK_MS) response.destroy();
  }, BEAT_MS);
  beat.unref();
  response.once("close", () => clearInterval(beat));
  write(`retry: ${RETRY_MS}\n\n`);
  push();
  return {
    push,
    reload: () => write("event: reload\ndata: 1\n\n"),
    close: () => {
      clearInterval(beat);
      response.end();
    },
  };
}
