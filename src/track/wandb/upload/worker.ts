// The thread that speaks with W&B. It has a thread of its own because the client library listens to signals, prints, and
// ends its process, and because training blocks the main thread for seconds.

import { parentPort, workerData } from "node:worker_threads";
import type { UploadOrder, UploadReport, UploadSettings } from "./messages.ts";
import { startUpload } from "./upload.ts";

const obey = startUpload(workerData as UploadSettings, (report: UploadReport) => parentPort?.postMessage(report));
parentPort?.on("message", (order: UploadOrder) => obey(order));
