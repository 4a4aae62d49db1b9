import { expect, test } from "vitest";
import { type ProbeResult, type SearchOptions, searchBatchSize } from "./batchSearch.ts";

const GB = 1e9;

/** A machine: 1 GB and 0.5 GB an image, `rate` images a second; what was tried is noted. */
function machine(rate: (size: number) => number, fits = Number.POSITIVE_INFINITY) {
  const tried: number[] = [];
  let time = 0;
  const probe = async (size: number): Promise<ProbeResult> => {
    tried.push(size);
    const seconds = size / rate(size);
    time += seconds;
    if (size > fits) return { failed: "out of memory" };
    return { images: size, seconds, peakBytes: (1 + 0.5 * size) * GB, baseBytes: GB };
  };
  const options: SearchOptions = {
    probe,
    most: 64,
    limitBytes: null,
    mustBeFaster: false,
    seconds: 1e9,
    now: () => time,
  };
  return { tried, options };
}

test("a batch grows until it is no faster", async () => {
  const { tried, options } = machine((size) => Math.min(size, 4));
  const found = await searchBatchSize({ ...options, mustBeFaster: true, limitBytes: 100 * GB });
  expect(tried).toEqual([1, 2, 4, 8]);
  expect(found).toMatchObject({ size: 4, imagesPerSecond: 4, peakBytes: 3 * GB });
  expect(found.limit).toBe("8 is no faster (4.00 against 4.00 images a second)");
});

test("a size that would need too much memory is not even tried, and the gap below it is searched", async () => {
  const { tried, options } = machine((size) => size);
  const found = await searchBatchSize({ ...options, limitBytes: 7.2 * GB });
  expect(found.size).toBe(12);
  expect(tried).toEqual([1, 2, 4, 8, 12]);
  expect(found.limit).toBe("14 would need about 8.0 GB of the 7.2 GB that may be used");
});

test("without a known limit the attempt tells", async () => {
  const { tried, options } = machine((size) => size, 11);
  const found = await searchBatchSize(options);
  expect(tried).toEqual([1, 2, 4, 8, 16, 12, 10]);
  expect(found.size).toBe(10);
  expect(found.limit).toBe("12 does not fit: out of memory");
});

test("the search ends in time, and at the most that is of use", async () => {
  const slow = machine(() => 0.5); // 2 seconds an image
  const inTime = await searchBatchSize({ ...slow.options, seconds: 20 });
  expect(slow.tried).toEqual([1, 2, 4]);
  expect(inTime.size).toBe(4);
  expect(inTime.limit).toBe("the search ended after 14 seconds");
  const small = machine((size) => size);
  expect(await searchBatchSize({ ...small.options, most: 5 })).toMatchObject({ size: 5 });
  expect(small.tried).toEqual([1, 2, 4, 5]);
});

test("where one image does not fit, the reason comes back; where it takes more than the limit, it is taken", async () => {
  const none = machine((size) => size, 0);
  expect(await searchBatchSize(none.options)).toMatchObject({ size: 0, limit: "1 does not fit: out of memory" });
  const tight = machine((size) => size);
  expect(await searchBatchSize({ ...tight.options, limitBytes: GB })).toMatchObject({ size: 1 });
});
