import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ownAddon } from "./ownAddon.ts";

/** A process that answers signals at once and then computes for `seconds` without a pause; `act` sends it signals. */
async function busy(
  seconds: number,
  act: (kill: (signal: NodeJS.Signals) => void, said: () => string) => Promise<void>,
  again = "",
) {
  const code = `
    import { ownAddon } from ${JSON.stringify(join(import.meta.dirname, "ownAddon.ts"))};
    for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => console.error("later " + name + " " + ownAddon().answers()));
    if (!ownAddon().answerSignals("heard INT\\n", "heard TERM\\n", ${JSON.stringify(again)}, "at once\\n", 3)) process.exit(9);
    console.error("ready");
    const end = Date.now() + ${1000 * seconds};
    while (Date.now() < end);
    setTimeout(() => process.exit(0), 100);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.on("data", (chunk) => {
    text += chunk;
  });
  const closed = new Promise<number | null>((done) => child.on("close", done));
  while (!text.includes("ready")) await sleep(20);
  await act(
    (signal) => child.kill(signal),
    () => text,
  );
  return { code: await closed, text };
}

const missing = ownAddon()?.answerSignals === undefined;

test.skipIf(missing)(
  "a signal is answered while JavaScript is busy; one that follows at once is the same wish",
  async () => {
    const { code, text } = await busy(3, async (kill, said) => {
      kill("SIGTERM");
      await sleep(700);
      expect(said()).toContain("heard TERM");
      expect(said()).not.toContain("later");
      kill("SIGINT");
    });
    expect(code).toBe(0);
    expect(text.replace("ready\n", "")).toMatch(/^heard TERM\n(later (SIGTERM|SIGINT) 1\n){2}$/);
  },
);

test.skipIf(missing)("a second one, more than a second later, ends the process though JavaScript is busy", async () => {
  const begin = performance.now();
  const { code, text } = await busy(30, async (kill) => {
    kill("SIGINT");
    await sleep(1300);
    kill("SIGINT");
  });
  expect({ code, text }).toEqual({ code: 3, text: "ready\nheard INT\nat once\n" });
  expect(performance.now() - begin).toBeLessThan(25_000);
});

test.skipIf(missing)(
  "where it may be asked twice, the third one ends the process, and each counts a second after the last",
  async () => {
    const begin = performance.now();
    const { code, text } = await busy(
      30,
      async (kill) => {
        for (const wait of [1300, 100, 1300, 100, 1300]) {
          kill("SIGINT");
          await sleep(wait);
        }
        kill("SIGTERM");
      },
      "heard again\n",
    );
    expect({ code, text }).toEqual({ code: 3, text: "ready\nheard INT\nheard again\nat once\n" });
    expect(performance.now() - begin).toBeLessThan(25_000);
  },
);
