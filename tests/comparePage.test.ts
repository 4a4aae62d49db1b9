// The page of a comparison on a phone, in a browser.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { comparePage } from "../src/report/comparePage.ts";
import { readRunFolder } from "../src/run/runFolder.ts";
import { type Browser, findChromium, launchBrowser, NO_CHROMIUM } from "./support/browser.ts";
import { writeLongRun } from "./support/longRun.ts";

const executable = findChromium();
let dir: string;
let browser: Browser | undefined;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "compare-page-"));
  if (executable) browser = await launchBrowser(executable);
});
afterAll(async () => {
  await browser?.close();
  await rm(dir, { recursive: true, force: true });
});

test.skipIf(!executable)(
  `on a phone no head stands over another, no value is broken, and what scrolls says so${executable ? "" : ` (${NO_CHROMIUM})`}`,
  async () => {
    const other = { name: "a-run-of-some-name", model: { variant: "large" } } as const;
    await writeLongRun(join(dir, "a"), { epochs: 9, images: 2 });
    await writeLongRun(join(dir, "b"), { epochs: 12, classes: ["heron", "owl"], seed: 4, images: 2, recipe: other });
    const [a, b] = await Promise.all(["a", "b"].map((name) => readRunFolder(join(dir, name))));
    const path = join(dir, "compare.html");
    await writeFile(path, await comparePage(a!, b!, { images: 30, half: { "AP50:95": 0.9, AP50: 0 } }));
    const page = await browser!.page();
    await page.resize(390, 800);
    await page.open(pathToFileURL(path).href);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    const rows = "[...document.querySelectorAll('#metrics .pairs tr')].map((row) => row.textContent)";
    const shown = (await page.evaluate<string[]>(rows)).join("\n");
    expect(shown).toMatch(/^AP50:95.*[+−]0\.\d{3} ± 0\.900: no difference shown$/m);
    expect(shown).toMatch(/^AP500\.\d{3}0\.\d{3}[+−]0\.\d{3} ± 0\.000$/m);
    // What is in a cell stays in it, and a short word stays on one line.
    const spilt = `[...document.querySelectorAll(".pairs th, .pairs td, .keys td")].filter((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getBoundingClientRect().right > cell.getBoundingClientRect().right + 0.5;
    }).map((cell) => cell.textContent)`;
    expect(await page.evaluate(spilt)).toEqual([]);
    const lines = await page.evaluate<number[]>(
      `[...document.querySelectorAll(".keys td code")].filter(({ textContent: text }) => text.length < 12).map((code) => code.getClientRects().length)`,
    );
    expect(lines.length).toBeGreaterThan(2);
    expect(Math.max(...lines)).toBe(1);
    expect(await page.evaluate(`getComputedStyle(document.querySelector(".table")).backgroundAttachment`)).toContain(
      "local",
    );
  },
  60_000,
);
