// The same pictures at every evaluation, as people see them in a report.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FixedPictures } from "../src/run/records/fixedPictures.ts";
import { reportRun } from "../src/train/record/report.ts";
import { inBrowser, openFilled } from "./support/browser.ts";
import { writeLongRun } from "./support/longRun.ts";

let dir: string;
let path: string;
beforeAll(async () => {
  dir = join(await mkdtemp(join(tmpdir(), "fixed-page-")), "run");
  await writeLongRun(dir, { epochs: 8, images: 12 });
  path = join(dir, "fixed-pictures.json");
});
afterAll(() => rm(join(dir, ".."), { recursive: true, force: true }));

const record = async () => JSON.parse(await readFile(path, "utf8")) as FixedPictures;
const put = (changed: FixedPictures) => writeFile(path, JSON.stringify(changed));

test("a page leaves out evaluations that metrics.jsonl does not have, and a record that is none", async () => {
  const whole = await record();
  const shown = async () => /through the (\d+) evaluations/.exec(await readFile(await reportRun(dir), "utf8"))?.[1];
  expect(await shown()).toBe("5");
  await put({
    ...whole,
    evaluations: whole.evaluations.map((one, i) => (i === 3 ? { ...one, step: one.step + 1 } : one)),
  });
  expect(await shown()).toBe("4");
  await put({ ...whole, classes: [] });
  expect(await readFile(await reportRun(dir), "utf8")).not.toContain('<section id="fixed"');
  await put(whole);
});

inBrowser((page) => {
  const open = async () => openFilled(page, await reportRun(dir), "fixed");
  const move = (name: string, value: number) =>
    page.evaluate(`(() => {
      const slider = document.querySelector("#fixed [name=${name}]");
      slider.value = "${value}";
      slider.dispatchEvent(new Event("input"));
    })()`);
  const captions = () =>
    page.evaluate<string[]>("[...document.querySelectorAll('#fixed figcaption')].map((c) => c.textContent)");
  const boxes = (kind: string) => page.evaluate<number>(`document.querySelectorAll('#fixed rect.${kind}').length`);
  const shown = () => page.evaluate<string>("document.querySelector('[data-fixed=epoch]').textContent");

  test("a slider moves all six from evaluation to evaluation, another one their confidence", async () => {
    await open();
    const { pictures, evaluations } = await record();
    const labels = pictures.reduce((sum, { truths }) => sum + truths.length, 0);
    expect(await shown()).toMatch(/^epoch 8, step 960, AP50:95 0\.\d{3}$/);
    const last = await captions();
    expect(last).toHaveLength(6);
    expect(await boxes("label")).toBe(labels);
    expect((await boxes("hit")) + (await boxes("miss")) + (await boxes("class"))).toBe(labels);
    const hits = await boxes("hit");
    await move("epoch", 0);
    expect(await shown()).toMatch(/^epoch 4, step 480/);
    expect(await boxes("hit")).toBeLessThan(hits);
    const changed = (await captions()).filter((text, i) => text !== last[i]);
    expect(changed.length).toBeGreaterThan(2);
    await move("epoch", evaluations.length - 1);
    expect(await captions()).toEqual(last);
    await move("least", 0.98);
    expect(await boxes("hit")).toBeLessThan(hits);
  });

  test("play shows one evaluation after the other and stops at the last", async () => {
    await open();
    const seen = await page.evaluate<string[]>(`new Promise((done) => {
      const [seen, text, play] = [[], document.querySelector("[data-fixed=epoch]"), document.querySelector("[name=play]")];
      new MutationObserver(() => seen.push(text.textContent.split(",")[0])).observe(text, { childList: true });
      play.click();
      (function look() { play.textContent === "Play" ? done(seen) : setTimeout(look, 20); })();
    })`);
    expect([...new Set(seen)]).toEqual(["epoch 4", "epoch 5", "epoch 6", "epoch 7", "epoch 8"]);
  });

  test("masks are drawn, labels alone stand before the first evaluation, and names that are code stay names", async () => {
    const whole = await record();
    const triangle = [10, 10, 60, 10, 10, 70];
    const masks = <Part extends { truths?: unknown[]; detections?: unknown[] }>(part: Part) => ({
      ...part,
      outlines: (part.truths ?? part.detections)!.map(() => triangle),
    });
    const code = "<img src=x onerror=alert(1)>.jpg";
    const named = whole.pictures.map((one) => ({ ...masks(one), image: code }));
    const found = whole.evaluations.map((one) => ({ ...one, pictures: one.pictures.map(masks) }));
    await put({ ...whole, pictures: named, evaluations: found });
    await open();
    const polygons = (kind: string) =>
      page.evaluate<number>(`document.querySelectorAll('#fixed polygon.${kind}').length`);
    expect(await polygons("label")).toBe(whole.pictures.reduce((sum, { truths }) => sum + truths.length, 0));
    expect(await polygons("hit")).toBe(await boxes("hit"));
    expect((await captions())[0]).toContain(code);
    await put({ ...whole, evaluations: [] });
    await open();
    expect((await captions())[0]).toMatch(/: \d+ to be found$/);
    expect(await page.evaluate("document.querySelector('#fixed [name=play]').checkVisibility()")).toBe(false);
    await put(whole);
  });
});
