import { defineConfig } from "vitest/config";

// libtensorflow crashes in worker threads, so tests run in processes; each loads its own engine.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    env: {
      ORT_DISABLE_TELEMETRY: "1", // for tests that load onnxruntime by themselves
      // Servers of tests are on this machine: whatever proxy it has is not to be asked.
      ...{ HTTP_PROXY: "", http_proxy: "", HTTPS_PROXY: "", https_proxy: "" },
    },
    include: ["src/**/*.test.ts", "tests/**/*.test.ts", "scripts/**/*.test.mjs", "setup/**/*.test.mjs"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
