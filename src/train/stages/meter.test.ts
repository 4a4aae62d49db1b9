import { expect, test } from "vitest";
import { stepMeter } from "./meter.ts";

test("the cost is the median time of the steps and the peak within them, and begins anew when it was taken", async () => {
  const meter = stepMeter();
  expect(meter.take()).toBeNull();
  for (const wait of [1, 30, 60]) {
    meter.begin();
    await new Promise((done) => setTimeout(done, wait));
    meter.end();
  }
  const small = meter.take()!;
  expect(small.steps).toBe(3);
  expect(small.seconds).toBeGreaterThan(0.025);
  expect(small.seconds).toBeLessThan(0.055);
  expect(small.peakBytes).toBeGreaterThan(2e7);
  meter.begin();
  await new Promise((done) => setTimeout(done, 1));
  meter.end();
  expect(meter.take()!.steps).toBe(1);
});

test.runIf(process.platform === "linux")("the peak is that of the steps, not of what happened before them", () => {
  const meter = stepMeter();
  const step = (bytes: number) => {
    meter.begin();
    new Uint8Array(bytes).fill(1);
    meter.end();
    return meter.take()!.peakBytes;
  };
  const little = step(1e5);
  expect(step(3e8) - little).toBeGreaterThan(2e8);
});
