// What a download looks like.

import { countView } from "./countView.ts";

export type DownloadView = {
  /** Bytes so far, and in all where the server says so. */
  progress(received: number, total: number | undefined): void;
  /** Why it starts again. */
  retry(reason: string): void;
  stop(): void;
};

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Draw the download of `name` on a stream: a bar, or a line every tenth where it is no terminal. */
export function downloadView(stream: NodeJS.WriteStream, name: string): DownloadView {
  const view = countView(stream, {
    amount: (received, total) => `${megabytes(received)} of ${total === undefined ? "?" : megabytes(total)}`,
    plain: "tenths",
  });
  const what = `Downloading ${name}`;
  return {
    progress: (received, total) => {
      view.update(what, received, total);
      if (received === total) view.stop();
    },
    retry: (reason) => {
      view.stop();
      view.print(`${what}: ${reason}; trying again`);
    },
    stop: view.stop,
  };
}
