// Work on the items of a stream, of which some are under way at a time.

/** What one part of a machine does for an item, another can do for the next; more would only need more memory. */
const MOST = 2;

/**
 * What `work` makes of each item, in the order of the items, two under way at a time. Where one fails, or nobody wants more, those under way
 * are waited for first: what they use may be freed then.
 */
export async function* inFlight<Item, Result>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      result.catch(() => {}); // it is thrown where its turn comes
      underWay.push(result);
      if (underWay.length === MOST) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
