// Work that is given up on a signal at its next pause, also while it waits for something.

/** Let the event loop hear what has come meanwhile, such as a signal. Throws the reason of one that is aborted. */
export async function pause(signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return;
  // whoever comes out of the loop's phase for events meets the next one only after two of these
  for (let i = 0; i < 2; i++) await new Promise<void>((done) => setImmediate(done));
  signal.throwIfAborted();
}

/** What the promise becomes; where the signal is aborted first, its reason is thrown, and the promise is left alone. */
export function orGivenUp<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    const done = () => signal.removeEventListener("abort", abort); // a listener would keep the value as long as the signal
    promise.finally(done).then(resolve, reject);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}

/** The items until the signal is aborted, whose reason is thrown, also while an item is waited for. */
export async function* untilGivenUp<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      await pause(signal);
      const next = await orGivenUp(iterator.next(), signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // one that is still asked for an item ends only when that is there
    const end = iterator.return?.();
    if (signal?.aborted) end?.catch(() => {});
    else await end;
  }
}
