// What a download looks like: a bar on a terminal, a line every tenth where the output is no terminal.

import { SingleBar } from "cli-progress";

export type DownloadView = {
  /** Bytes so far, and in all where the server says so. */
  progress(received: number, total: number | undefined): void;
  /** Why it starts again. */
  retry(reason: string): void;
  stop(): void;
};

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Draw the download of `name` on a stream. */
export function downloadView(stream: NodeJS.WriteStream, name: string): DownloadView {
  const print = (text: string) => void stream.write(`${text}\n`);
  let bar: SingleBar | undefined;
  let tenth = -1;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    progress: (received, total) => {
      const text = `${megabytes(received)} of ${total === undefined ? "?" : megabytes(total)}`;
      if (stream.isTTY) {
        if (!bar) {
          bar = new SingleBar({
            stream,
            fps: 5,
            hideCursor: true,
            gracefulExit: false,
            format: `${name} {bar} {text}  {eta_formatted} left`,
          });
          bar.start(total ?? 0, received, { text });
        }
        bar.update(received, { text });
      } else {
        const now = total ? Math.floor((10 * received) / total) : 0;
        if (now > tenth) print(`Downloading ${name}: ${text}`);
        tenth = Math.max(tenth, now);
      }
      if (received === total) stop();
    },
    retry: (reason) => {
      stop();
      print(`Downloading ${name}: ${reason}; trying again`);
    },
    stop,
  };
}
