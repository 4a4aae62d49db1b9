import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { rowsOf, scene } from "../../../tests/support/wandbRun.ts";
import type { ServerRequest } from "../../../tests/support/wandbServer.ts";
import { startThread } from "../../util/threads/thread.ts";

const SUPPORT = pathToFileURL(`${import.meta.dirname}/../../../tests/support/wandbRun.ts`).href;

it("rows go to the server while the main thread is blocked, as a training step blocks it", async () => {
  const thread = startThread("wandbServerThread", SUPPORT);
  onTestFinished(async () => void (await thread.terminate()));
  const [{ url }] = (await once(thread, "message")) as [{ url: string }];
  const one = await scene();
  one.server.url = url;
  const requests = async (): Promise<ServerRequest[]> => {
    thread.postMessage("requests");
    const [answer] = (await once(thread, "message")) as [{ requests: ServerRequest[] }];
    return answer.requests;
  };
  const run = await one.open();
  await run.add(rowsOf(1, 3));
  while (!(await requests()).some(({ target }) => target === "rows")) await sleep(20);
  await run.add(rowsOf(4, 9));
  const from = performance.timeOrigin + performance.now();
  while (performance.timeOrigin + performance.now() < from + 3000);
  const to = performance.timeOrigin + performance.now();
  const meanwhile = (await requests()).filter(({ at, target }) => target === "rows" && at > from && at < to);
  expect(meanwhile.reduce((sum, { lines }) => sum + lines, 0)).toBeGreaterThan(0);
  await run.close();
  const all = (await requests()).filter(({ target }) => target === "rows");
  expect(all.reduce((sum, { lines }) => sum + lines, 0)).toBe(9);
});
