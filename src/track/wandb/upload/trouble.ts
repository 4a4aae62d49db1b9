// What is reported when W&B does not answer, or does not want a run.

import { Refused } from "../client/transport.ts";
import type { UploadReport, UploadSettings } from "./messages.ts";

/** The server has not answered for a while. */
export function silent(reason: string, { mode, dir, timing }: UploadSettings): UploadReport {
  const seconds = Math.round(timing.tellAfter / 1000);
  const consequence =
    mode === "live"
      ? `Training goes on; what is missing there is sent when it answers, or by: rfdetr-train sync ${dir}`
      : "It is tried again.";
  return {
    type: "silent",
    message: `W&B has not answered for ${seconds} s (${reason}). ${consequence}`,
  };
}

/** Why nothing can be sent, and what to do. */
export function whyUnsent(
  error: unknown,
  { project, entity }: UploadSettings["wandb"],
): { message: string; hint: string } {
  const message = (error as Error).message.replace(/\.$/, "");
  const where = `the project ${entity ? `${entity}/` : ""}${project}`;
  if (error instanceof Refused && error.status === 401)
    return {
      message: `W&B does not let this program in: ${message.startsWith("HTTP 401") ? "the API key is not valid" : message}.`,
      hint: "Set the environment variable WANDB_API_KEY, or run: wandb login.",
    };
  if (error instanceof Refused && (error.status === 403 || error.status === 404))
    return {
      message: `W&B does not give access to ${where} (${message}).`,
      hint: "Check track.wandb.project and track.wandb.entity, and what the API key may do.",
    };
  if (error instanceof Refused && error.status === 409)
    return {
      message: `W&B does not take this run (${message}).`,
      hint: "If it was deleted there, delete wandb.json in the run's folder: it is a new run at W&B then.",
    };
  return { message: `Nothing can be sent to W&B: ${message}.`, hint: "Check the connection and the settings." };
}
