// Whether what comes over a network comes quickly enough to be waited for.

/** Bytes a second. Below it a connection is given up: a large file would take days. */
const LEAST_RATE = 1000;

export type Pace = { signal: AbortSignal; count(bytes: number): void; end(): void };

/**
 * Gives a signal that is raised, with the reason in words, where nothing comes for `patience` milliseconds, or less than
 * `LEAST_RATE` on average. `end` has to be called.
 */
export function watchPace(patience: number): Pace {
  const slow = new AbortController();
  const least = (LEAST_RATE * patience) / 1000;
  let came = 0;
  const timer = setInterval(() => {
    const what = came === 0 ? "nothing" : `only ${came} bytes`;
    if (came < least) slow.abort(new Error(`${what} came for ${patience / 1000} seconds`));
    came = 0;
  }, patience);
  return {
    signal: slow.signal,
    count: (bytes) => {
      came += bytes;
    },
    end: () => clearInterval(timer),
  };
}
