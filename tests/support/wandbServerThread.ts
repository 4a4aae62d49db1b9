// The W&B server for tests in a thread of its own: it answers while the thread that tests is blocked.

import { parentPort } from "node:worker_threads";
import { startWandbServer } from "./wandbServer.ts";

const server = await startWandbServer();
parentPort?.on("message", () => {
  // times as all threads know them
  const requests = server.requests.map(({ at, ...request }) => ({ ...request, at: performance.timeOrigin + at }));
  parentPort?.postMessage({ requests });
});
parentPort?.postMessage({ url: server.url });
