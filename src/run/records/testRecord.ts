// evaluation-test.json: what the best weights of a run came to on the test split, and whether that is what validation promised.

import type { Confirmation, Measured } from "../../instance/operating/confirm.ts";
import { type OperatingPoint, operatingPointFrom } from "../../instance/operating/point.ts";
import { isObject } from "../../util/untrusted/json.ts";
import { runFiles } from "../files.ts";
import { readJsonObject } from "../json.ts";
import type { EvaluationRecord } from "./evaluation.ts";

export type TestRecord = Pick<EvaluationRecord, "images" | "metrics" | "perClass"> & {
  format: 1;
  /** Of the checkpoint that was evaluated, and the SHA-256 of its weights file. */
  step: number;
  epoch: number;
  weights: { sha256: string };
  /** Images that could not be read. */
  unread: number;
  /** As stored with the weights; null where they say none. */
  operatingPoint: OperatingPoint | null;
  /** At that point. */
  measured: Measured;
  confirmation: Confirmation;
  /** How many times weights of this run have been evaluated on the test split, this one included. */
  evaluations: number;
  /** When, as ISO 8601. */
  evaluated: string;
};

/** The record of a run; null where there is none, or it is not whole. */
export async function readTestRecord(dir: string): Promise<TestRecord | null> {
  const record = await readJsonObject<TestRecord>(runFiles(dir).testEvaluation);
  if (record?.format !== 1) return null;
  const { step, epoch, images, evaluations, weights, measured, confirmation, perClass, metrics, operatingPoint } =
    record;
  const whole =
    [step, epoch, images, evaluations].every(Number.isSafeInteger) &&
    typeof weights?.sha256 === "string" &&
    isObject(metrics) &&
    isObject(measured) &&
    isObject(confirmation) &&
    [measured.precision, measured.recall].every((one) => one === null || typeof one === "number") &&
    [confirmation.precision, confirmation.recall].every((one) => one === null || isConfirmed(one)) &&
    Array.isArray(perClass) &&
    perClass.every((one) => isObject(one) && typeof one.name === "string" && typeof one.annotations === "number");
  return whole ? { ...record, operatingPoint: operatingPointFrom(operatingPoint) ?? null } : null;
}

function isConfirmed(one: unknown): boolean {
  if (!isObject(one)) return false;
  return [one.measured, one.low, one.high].every((value) => typeof value === "number") && typeof one.held === "boolean";
}
