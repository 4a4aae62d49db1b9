// A program that shows a training, for tests in a terminal: `columns` and ways to end are those of its caller.
// Words: "training" or "count", then how it ends: "done", "throw" or "wait" (for signals).

import { reportError } from "../../src/cli/reportError.ts";
import { installSignals, stopSignal } from "../../src/cli/signals.ts";
import { countView, ofImages } from "../../src/cli/terminal/countView.ts";
import { printResult } from "../../src/cli/terminal/print.ts";
import { progressView } from "../../src/cli/terminal/progress.ts";

const [kind, end] = process.argv.slice(2);
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
installSignals();
process.on("uncaughtException", (error) => process.exit(reportError(error, { json: false })));
const training = progressView(process.stdout);
const count = countView(process.stdout, { amount: ofImages, plain: "seconds" });
stopSignal("stopping", (line) => training.print(`${line} pid ${process.pid}`));
for (let step = 1; step <= 12; step++) {
  if (kind === "training")
    training.update({
      ...{ epoch: 1, epochs: 50, step, steps: 12, loss: 7.43219, learningRate: 1e-4, imagesPerSecond: 12.345 },
      ...{ dataWait: 0.021, memoryBytes: 1.24e9, secondsLeft: 14, ap: 0.2541 },
    });
  else count.update("Evaluating", step, 12);
  if (step % 5 === 0) training.print(`saved ${step} 樫の木`);
  await pause(40);
}
if (end === "throw") setTimeout(() => null!["x" as never], 0);
if (end !== "done") {
  training.print(`waiting. pid ${process.pid}`);
  await pause(20_000);
}
training.stop();
printResult("All done.");
