// A process that reads cases one after the other, by their numbers, and says before and after each how it went.

import { join } from "node:path";
import { knownTrouble } from "../../src/cli/knownTrouble.ts";
import { makeCase } from "./cases.mjs";
import { randomOf } from "./mutate.mjs";
import { readCase } from "./readers.mjs";

const [home, seed, only] = process.argv.slice(2);

process.on("message", async (number) => {
  let made;
  try {
    made = makeCase(randomOf(Number(seed), number), { home, folder: join(home, `case-${process.pid}`), only });
  } catch (error) {
    process.send({ type: "unmade", number, fault: error.stack });
    return;
  }
  process.send({ type: "begin", number, ...made });
  const begin = performance.now();
  let fault = null;
  let refused = false;
  try {
    await readCase(made);
  } catch (error) {
    refused = true;
    if (!knownTrouble(error)) fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const megabytes = process.resourceUsage().maxRSS / 1024;
  process.send({ type: "end", number, refused, fault, ms: performance.now() - begin, megabytes });
});
for (const event of ["uncaughtException", "unhandledRejection"])
  process.on(event, (error) =>
    process.send({ type: "late", fault: String(error?.stack ?? error) }, () => process.exit(1)),
  );
process.send({ type: "ready" });
