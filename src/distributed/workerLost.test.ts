import { expect, test } from "vitest";
import { workerLost } from "./workerLost.ts";

const workers = ["a:1", "b:2", "c:3"];
const said = (text: string, rank: number) => workerLost(new Error(text), { workers, rank }).message;

// what TensorFlow 2.21 said when a worker of three was stopped by each signal
test("a worker that is frozen has shown no sign of life, whoever notices it", () => {
  const silent =
    "Invalid TF_Status: 14\nMessage: Collective ops is aborted by: Error reported from /job:worker/task:1: The following tasks are unhealthy (stopped sending heartbeats):\n/job:worker/replica:0/task:1\nThe tasks have crashed. Check the task logs for an earlier error";
  expect(said(silent, 0)).toBe("Worker 1 (b:2) is gone: it has shown no sign of life.");
  expect(said(silent, 2)).toBe("Worker 1 (b:2) is gone: it has shown no sign of life.");
  const first =
    "Invalid TF_Status: 4\nMessage: Collective ops is aborted by: Deadline Exceeded\n\nRPC: /tensorflow.CoordinationService/Heartbeat\nThe error could be from a previous operation. Restart your program to reset.";
  const from =
    "\nAdditional GRPC error information from remote target /job:worker/replica:0/task:1 while calling RecvBuf";
  expect(said(first, 1)).toBe("Worker 0 (a:1) is gone: it has shown no sign of life.");
  expect(said(first + from, 2)).toBe("Worker 0 (a:1) is gone: it has shown no sign of life.");
});

test("a worker that was killed broke off its connection, and one that ended by itself said why", () => {
  const closed =
    "Invalid TF_Status: 14\nMessage: Collective ops is aborted by: Socket closed\nAdditional GRPC error information from remote target /job:worker/replica:0/task:1 while calling /tensorflow.WorkerService/RecvBuf:";
  expect(said(closed, 2)).toBe("Worker 1 (b:2) is gone: its connection broke off.");
  const spoken =
    "Invalid TF_Status: 10\nMessage: Collective ops is aborted by: Error reported from /job:worker/task:2: There is no room on the disk.\nThe error could be from a previous operation.";
  expect(said(spoken, 0)).toBe("Worker 2 (c:3) has ended: There is no room on the disk.");
  expect(said("Invalid TF_Status: 13\nMessage: something else\nmore", 0)).toBe(
    "Another worker is gone: something else",
  );
});
