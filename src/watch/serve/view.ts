// A page that is watched: made of what is there now, and told what has changed since.

import { page } from "../../report/page/page.ts";
import type { Board } from "./board.ts";

/** What is shown of one run, of a folder of runs, or of a folder where nothing is yet. */
export type LiveView = {
  board: Board;
  /** Look again; the board then has what has changed. */
  refresh(): Promise<void>;
  /** The page as it is on the board. */
  content(): Omit<Parameters<typeof page>[0], "refresh">;
};

/** The bytes of a view's page, made again where the board has changed. */
export function renderer(view: LiveView): () => Promise<Buffer> {
  let last: { revision: number; bytes: Promise<Buffer> } | undefined;
  return () => {
    const { revision } = view.board;
    if (last?.revision !== revision) last = { revision, bytes: page(view.content()).then(Buffer.from) };
    return last.bytes;
  };
}
