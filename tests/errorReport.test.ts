// What a report shows of errors, from the figures to the pictures.

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ObjectsRecord, Thumbnails } from "../src/run/records/browser.ts";
import type { EvaluationRecord } from "../src/run/records/evaluation.ts";
import { type FixedPictures, withinBounds } from "../src/run/records/fixedPictures.ts";
import { reportRun } from "../src/train/record/report.ts";
import { inBrowser, openFilled } from "./support/browser.ts";
import { writeLongRun } from "./support/longRun.ts";

let dir: string;
const run = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "error-report-"));
  await writeLongRun(run("long"), { epochs: 3, images: 12 });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("what each kind of error costs stands in sentences; a record without errors has no such section", async () => {
  const text = await readFile(await reportRun(run("long")), "utf8");
  const section = text.slice(text.indexOf('<section id="errors"'), text.indexOf('<section id="pictures"'));
  expect(section).toMatch(
    /Most is lost to one kind: [a-z ]+\. Without it AP50 would be 0\.\d{3} instead of 0\.\d{3}\./,
  );
  for (const name of ["Wrong class", "Badly placed", "Both", "Double", "False alarm", "Missed"])
    expect(section).toContain(`<dt>${name}</dt>`);
  expect(section).toMatch(/Detections where there is no object: [\d,]+\./);
  const path = join(run("long"), "evaluation.json");
  const record = await readFile(path, "utf8");
  const best = join(run("long"), "evaluation-best.json");
  for (const file of [path, best]) await writeFile(file, JSON.stringify({ ...JSON.parse(record), errors: null }));
  expect(await readFile(await reportRun(run("long")), "utf8")).not.toContain('<section id="errors"');
  for (const file of [path, best]) await writeFile(file, record);
});

const json = async <Value>(path: string) => JSON.parse(await readFile(path, "utf8")) as Value;

/** The record of what is in the pictures of the run's only evaluation. */
async function objectsPath(name: string): Promise<string> {
  const [step] = await readdir(join(run(name), "evaluation"));
  return join(run(name), "evaluation", step!, "objects.json");
}

/** Make a run's page one of 500 pictures and as many objects and detections as a record has at most. */
async function enlarge(name: string): Promise<void> {
  const [small, objects] = [join(run(name), "thumbnails.json"), await objectsPath(name)];
  const [{ pictures }, record] = [await json<Thumbnails>(small), await json<ObjectsRecord>(objects)];
  const least = pictures.reduce((a, b) => (b.jpeg.length < a.jpeg.length ? b : a)).jpeg;
  const jpeg = least.slice(0, 4 * Math.floor(Math.min(2400, least.length - 4) / 4)); // not a whole picture, as heavy as one
  const many = Array.from({ length: 500 }, (_, i) => ({ ...pictures[i % pictures.length]!, imageId: i + 1, jpeg }));
  const one = record.pictures.find(({ truths, detections }) => truths.length > 0 && detections.length > 0)!;
  const filled = {
    truths: Array.from({ length: 24 }, () => one.truths[0]!),
    detections: Array.from({ length: 24 }, () => one.detections[0]!),
  };
  await writeFile(small, JSON.stringify({ format: 1, pictures: many }));
  await writeFile(objects, JSON.stringify({ ...record, pictures: many.map(() => filled) }));
  const fixed = join(run(name), "fixed-pictures.json");
  const { evaluations, pictures: six, ...rest } = await json<FixedPictures>(fixed);
  const full = { ...evaluations[0]!, pictures: six.map(({ truths }) => ({ detections: filled.detections.map((one) => [...one.slice(0, 6), truths.length - 1, -1, 0]) })) }; // biome-ignore format: one line
  const more = Array.from({ length: 300 }, () => full as FixedPictures["evaluations"][number]);
  await writeFile(fixed, JSON.stringify({ ...rest, pictures: six, evaluations: withinBounds(more) }));
}

test("a report of 500 pictures and 80 classes is smaller than 5 MB", async () => {
  const classes = Array.from({ length: 80 }, (_, i) => `class number ${i}`);
  await writeLongRun(run("full"), { epochs: 12, images: 14, classes });
  await enlarge("full");
  const { size } = await stat(await reportRun(run("full")));
  expect(size).toBeGreaterThan(2e6);
  expect(size).toBeLessThan(5e6);
});

test("pictures or objects that are damaged, or of another evaluation, are left out, and the page stays", async () => {
  const [small, objects] = [join(run("long"), "thumbnails.json"), await objectsPath("long")];
  const whole = { [small]: await readFile(small, "utf8"), [objects]: await readFile(objects, "utf8") };
  const page = async () => (await readFile(await reportRun(run("long")), "utf8")).includes('<section id="browse"');
  expect(await page()).toBe(true);
  const record = JSON.parse(whole[objects]!) as ObjectsRecord;
  const spoilt = (change: (record: ObjectsRecord) => void) => {
    const copy = structuredClone(record);
    change(copy);
    return JSON.stringify(copy);
  };
  const withDetection = record.pictures.findIndex(({ detections }) => detections.length > 0);
  for (const [path, text] of [
    [small, "{"],
    [small, whole[small]!.replace('"/9j/', '"<b>')],
    [objects, "[]"],
    [objects, spoilt(({ pictures }) => pictures.pop())],
    [objects, spoilt(({ pictures }) => (pictures[withDetection]!.detections[0]![6] = 99))],
    [objects, spoilt(({ pictures }) => (pictures[withDetection]!.detections[0]![0] = 1e6))],
    [objects, spoilt((copy) => Object.assign(copy, { classes: [3] }))],
  ] as const) {
    await writeFile(path, text);
    expect(await page(), text.slice(0, 80)).toBe(false);
    await writeFile(path, whole[path]!);
  }
});

inBrowser((page) => {
  const openSilently = async (name: string) => openFilled(page, await reportRun(run(name)), "browse");
  const counts = () =>
    page.evaluate<Record<string, number>>(
      "Object.fromEntries([...document.querySelectorAll('[data-count]')].map((b) => [b.dataset.count, +b.textContent]))",
    );
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const matrix = `[...document.querySelectorAll('figure[data-chart="confusion"] [aria-label="text"] text')].map((t) => +t.textContent)`;

  test("counts of the pictures are those of the matrix, and the slider moves both", async () => {
    await openSilently("long");
    const { confusion } = await json<EvaluationRecord>(join(run("long"), "evaluation.json"));
    const inner = confusion.counts.slice(0, -1);
    const hits = sum(inner.map((row, i) => row[i]!));
    const first = await counts();
    expect(first).toMatchObject({ hit: hits, miss: sum(inner.map((row) => row.at(-1)!)) });
    expect(first.alarm! + first.place!).toBe(sum(confusion.counts.at(-1)!));
    expect(sum(await page.evaluate<number[]>(matrix))).toBe(sum(confusion.counts.flat()));
    await page.evaluate(`(() => {
      const slider = document.querySelector("#browse input[type=range]");
      slider.value = "0.9";
      slider.dispatchEvent(new Event("input"));
    })()`);
    const later = await counts();
    expect(later.hit).toBeLessThan(first.hit!);
    expect(later.miss).toBeGreaterThan(first.miss!);
    expect(sum(await page.evaluate<number[]>(matrix))).toBe(sum(Object.values(later)));
    expect(await page.evaluate("document.querySelector('#browse [role=status]').textContent")).toContain("0.90");
  });

  test("kind and class choose pictures, and a cell of the matrix shows its own", async () => {
    await openSilently("long");
    const shown = "document.querySelectorAll('#browse .browse figure').length";
    const all = await page.evaluate<number>(shown);
    expect(all).toBe(12);
    await page.evaluate("document.querySelector('#browse input[value=miss]').click()");
    const missed = await page.evaluate<number>(shown);
    expect(missed).toBeGreaterThan(0);
    expect(missed).toBeLessThanOrEqual(all);
    const clear =
      "[...document.querySelectorAll('#browse .browse figure')].every((f) => f.querySelector('rect.miss:not(.faint)'))";
    expect(await page.evaluate(clear)).toBe(true);
    await page.evaluate("document.querySelector('#browse input[value=\"\"]').click()");
    const text = await page.evaluate<string>(`new Promise((done) => {
      const svg = document.querySelector('figure[data-chart="confusion"] svg');
      const cell = [...svg.querySelectorAll('[aria-label="text"] text')][0].getBoundingClientRect();
      const at = { clientX: cell.x + cell.width / 2, clientY: cell.y + cell.height / 2, bubbles: true, pointerType: "mouse" };
      svg.dispatchEvent(new PointerEvent("pointerenter", at));
      svg.dispatchEvent(new PointerEvent("pointermove", at));
      setTimeout(() => {
        svg.dispatchEvent(new MouseEvent("click", at));
        done(document.querySelector("#browse button[name=cell]").textContent);
      }, 200);
    })`);
    expect(text).toMatch(/^\d+ × .+ ×$/);
    const of = "[...document.querySelectorAll('#browse rect:not(.faint):not(.meant)')].length";
    expect(await page.evaluate<number>(of)).toBe(Number(text.split(" ")[0]));
    await page.evaluate("document.querySelector('#browse button[name=cell]').click()");
    expect(await page.evaluate<number>(shown)).toBe(all);
  });

  test("names that are code stay names among the pictures, and a narrow window does not scroll sideways", async () => {
    await writeLongRun(run("hostile"), {
      epochs: 2,
      images: 3,
      classes: ["</script><script>window.hacked = 1</script>", "<img src=x onerror=alert(1)>\u0000\ud800", "__proto__"],
    });
    await page.resize(400, 900);
    await openSilently("hostile");
    expect(await page.evaluate("String(window.hacked)")).toBe("undefined");
    expect(await page.evaluate("document.querySelectorAll('#browse .browse figure').length")).toBe(3);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(400);
    await page.resize(1200, 900);
  });
});
