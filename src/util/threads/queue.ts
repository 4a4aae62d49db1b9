// Asynchronous work on something that only one may touch at a time.

/** One piece of work after the other, in the order they came; one that fails holds up none of the next. */
export function queue(): <Result>(work: () => Result | Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
