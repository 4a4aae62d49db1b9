// Set-up, types, lint, build, then the test suite. The last line is "N passed, N failed".
// Usage: node scripts/test.mjs [vitest arguments, e.g. src/loss -t "matcher"]

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SetupError } from "../setup/errors.mjs";
import { setUp } from "../setup/main.mjs";
import { root } from "../setup/npm.mjs";
import { build } from "./build.mjs";

const args = process.argv.slice(2);
const tool = (path, ...rest) => {
  const { status } = spawnSync(process.execPath, [join(root, "node_modules", path), ...rest], {
    cwd: root,
    stdio: "inherit",
  });
  return status === 0;
};

/** A step before the tests; one that fails counts as a failed test, so that the last line tells the truth. */
async function step(name, work) {
  try {
    if (await work()) return 0;
  } catch (error) {
    console.error(error instanceof SetupError ? `error: ${error.message}\n  ${error.hint ?? ""}` : error);
  }
  console.error(`FAILED: ${name}`);
  return 1;
}

function finish({ passed, failed, skipped }) {
  if (skipped > 0) console.log(`${skipped} skipped`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

if ((await step("set-up", () => setUp())) > 0) finish({ passed: 0, failed: 1, skipped: 0 });

let broken = 0;
if (args.length === 0) {
  broken += await step("types (tsc -p .)", () => tool("typescript/bin/tsc", "-p", "."));
  broken += await step("lint (biome check .)", () => tool("@biomejs/biome/bin/biome", "check", "."));
  broken += await step("unused exports (knip)", () => tool("knip/bin/knip.js", "--no-progress"));
}
broken += await step("build", async () => {
  await build();
  return true;
});

const report = join(root, ".cache", "test-results.json");
mkdirSync(join(root, ".cache"), { recursive: true });
rmSync(report, { force: true });
const green = tool(
  "vitest/vitest.mjs",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...args,
);
if (!existsSync(report)) finish({ passed: 0, failed: broken + 1, skipped: 0 });

const {
  numPassedTests: passed,
  numFailedTests,
  numPendingTests,
  numTodoTests,
  testResults,
} = JSON.parse(readFileSync(report, "utf8"));
// A file that does not even load has no tests to count.
const unloaded = testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
);
let failed = broken + numFailedTests + unloaded.length;
if (failed === 0 && !green) failed = 1; // an error outside every test
finish({ passed, failed, skipped: numPendingTests + numTodoTests });
