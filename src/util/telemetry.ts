// What dependencies would report about their user to their makers is off before they are loaded.

import { isMainThread } from "node:worker_threads";

/** The variable that switches off what onnxruntime reports. */
export const TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY";

/**
 * Switch off what onnxruntime would queue for its maker: a lasting id of the device, the processor and all metadata of a model.
 * A value that is set already stays. To be called before a thread is started that may load onnxruntime.
 */
export function disableTelemetry(): void {
  process.env[TELEMETRY_SWITCH] ||= "1";
}

/** Whether native code sees the switch: what a thread sets in its own environment never reaches it. */
export function isTelemetryDisabled(): boolean {
  return (isMainThread ? process.env : environmentOfProcess())[TELEMETRY_SWITCH] !== undefined;
}

function environmentOfProcess(): Record<string, string> {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // else it asks the name service
  const { environmentVariables } = report.getReport() as { environmentVariables?: Record<string, string> };
  report.excludeNetwork = before;
  return environmentVariables ?? {};
}
