// Reports as people see them: opened in a headless browser. And what they are made of, where there is no browser.

import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { comparePage } from "../src/report/comparePage.ts";
import { readRunFolder } from "../src/run/runFolder.ts";
import { reportRun } from "../src/train/record/report.ts";
import { UserError } from "../src/util/errors.ts";
import { inBrowser, openAlone } from "./support/browser.ts";
import { writeLongRun } from "./support/longRun.ts";

let dir: string;
const run = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "report-"));
  await writeLongRun(run("long"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const HOSTILE = [
  "</script><script>window.hacked = 1</script>",
  '"><img src=x onerror="window.hacked = 2">',
  "<!--<script>",
  "`+(window.hacked = 3)+`",
  "__proto__",
  "\u0000\u2028 \ud800 \u202e",
  "'; window.hacked = 4; '",
  "ein sehr langer Name ".repeat(20),
];

test("the report of a hundred epochs, with all its pictures, is smaller than 3 MB", async () => {
  const path = await reportRun(run("long"));
  expect(path).toBe(join(run("long"), "report.html"));
  const { size } = await stat(path);
  expect(size).toBeLessThan(3e6);
  const text = await readFile(path, "utf8");
  expect(text.match(/data:image\/jpeg/g)).toHaveLength(12);
  expect(text).toContain("12,000 steps in 8 h 10 min");
});

test("a report holds no address that could be loaded, and names and recipe come out escaped", async () => {
  await writeLongRun(run("hostile"), { epochs: 4, classes: HOSTILE, images: 4 });
  const text = await readFile(await reportRun(run("hostile")), "utf8");
  const markup = text.replaceAll(/<script>[\s\S]*?<\/script>|<style>[\s\S]*?<\/style>/g, "");
  expect(markup).not.toMatch(/(src|href)="(?!data:|#)/);
  expect(markup).not.toMatch(/<img src=x|<script>window/);
});

test("what is recipe and what is default can be told apart", async () => {
  const text = await readFile(await reportRun(run("long")), "utf8");
  const table = text.slice(text.indexOf("What this recipe sets"), text.indexOf("The whole recipe"));
  expect(table).toContain("<code>train.epochs</code>");
  expect(table).toContain("<code>data.dir</code>");
  expect(table).not.toContain("<code>train.lr</code>");
});

test("exported files are listed with how they were verified; what is no record of one is left out", async () => {
  const model = {
    ...{ file: "model.onnx", kind: "plain", opset: 18, bytes: 112_345_678, latency_ms: { p50: 182.3 } },
    verified: {
      on: "some images",
      images: 7,
      difference: { boxes: 3e-6 },
      "AP50:95": { trainer: 0.6041, file: 0.6039 },
    },
  };
  const record = join(run("long"), "export.json");
  await writeFile(record, JSON.stringify({ files: [model, { file: "bare.onnx", bytes: 1e6, verified: null }, 3, {}] }));
  const text = await readFile(await reportRun(run("long")), "utf8");
  const table = text.slice(text.indexOf('<section id="export"'), text.indexOf('<section id="recipe"'));
  expect(table).toMatch(
    /model\.onnx.*plain, opset 18.*112\.3 MB.*0\.604.*0\.604.*3\.0e-6.*182\.3 ms.*7 images, some images/,
  );
  expect(table).toMatch(/bare\.onnx.*1\.0 MB.*not verified/);
  expect(table.match(/<tr>/g)).toHaveLength(3);
  expect(table).not.toContain("segm AP50:95");
  const segmenter = { ...model, verified: { ...model.verified, "segm AP50:95": { trainer: 0.4271, file: 0.4268 } } };
  await writeFile(record, JSON.stringify({ files: [segmenter] }));
  expect(await readFile(await reportRun(run("long")), "utf8")).toMatch(
    /segm AP50:95.*0\.604.*0\.604.*0\.427.*0\.427.*3\.0e-6/s,
  );
  for (const other of ["[]", '{"files": 1}', "{torn"]) {
    await writeFile(record, other);
    expect(await readFile(await reportRun(run("long")), "utf8")).not.toContain('<section id="export"');
  }
});

test("a folder that is no run is told", async () => {
  await expect(reportRun(run("none"))).rejects.toThrow(UserError);
  await expect(reportRun(run("none"))).rejects.toThrow("is no run");
});

inBrowser((page) => {
  /** Open a page; it has to be silent, to ask for nothing, and to have drawn every chart. */
  async function openSilently(path: string): Promise<void> {
    await openAlone(page, path);
    expect(await page.evaluate("document.documentElement.dataset.ready")).toBe("true");
    const empty =
      "[...document.querySelectorAll('figure[data-chart]')].filter((f) => !f.querySelector('svg, .plot p'))";
    expect(await page.evaluate(`${empty}.map((f) => f.dataset.chart)`)).toEqual([]);
    expect(await page.evaluate("document.querySelector('.page').textContent.includes('could not be drawn')")).toBe(
      false,
    );
  }

  test("a report draws all its charts, without a word on the console and without a request", async () => {
    await page.resize(1200, 900);
    await openSilently(await reportRun(run("long")));
    const drawn = await page.evaluate<string[]>("[...document.querySelectorAll('figure svg')].map((s) => s.ariaLabel)");
    for (const title of [
      "Average precision",
      "F1, precision and recall",
      "Average precision by size",
      "Loss by epoch",
      "Learning rates",
      "Confusion matrix",
      "Precision by recall",
    ])
      expect(drawn).toContain(title);
    const broken = "[...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length";
    expect(await page.evaluate(broken)).toBe(0);
  });

  test("a value is shown where the pointer is", async () => {
    await openSilently(join(run("long"), "report.html"));
    const tip = await page.evaluate<string>(`new Promise((done) => {
      const svg = document.querySelector('figure[data-chart="ap"] svg');
      const { left, top, width, height } = svg.getBoundingClientRect();
      const at = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, pointerType: "mouse" };
      svg.dispatchEvent(new PointerEvent("pointerenter", at));
      svg.dispatchEvent(new PointerEvent("pointermove", at));
      setTimeout(() => done(svg.querySelector('[aria-label="tip"]').textContent), 200);
    })`);
    expect(tip).toMatch(/epoch \d+, step \d+/);
    expect(tip).toMatch(/AP50:95 +0\.\d{3}/);
  });

  test("dark and light differ, paper is always light, and a narrow window scrolls in one direction only", async () => {
    const background = "getComputedStyle(document.body).backgroundColor";
    const path = join(run("long"), "report.html");
    const seen: string[] = [];
    for (const media of [{}, { dark: true }, { dark: true, print: true }]) {
      await page.media(media);
      await openSilently(path);
      seen.push(await page.evaluate<string>(background));
    }
    await page.media({});
    expect(seen[1]).not.toBe(seen[0]);
    expect(seen[2]).toBe(seen[0]);
    for (const width of [400, 700, 1600]) {
      await page.resize(width, 800);
      await openSilently(path);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
    await page.resize(1200, 900);
    expect((await page.pdf()).subarray(0, 5).toString()).toBe("%PDF-");
  });

  test("the matrix of 3 and of 80 classes has room from 768 pixels on, its names do not meet, and paper takes few pages", async () => {
    const many = Array.from({ length: 80 }, (_, i) => `class number ${i}`);
    for (const [name, classes, pages] of [
      ["three", ["square", "dreieck-größe", "kreis"], 5],
      ["eighty", many, 10],
    ] as const) {
      await writeLongRun(run(name), { epochs: 12, classes: [...classes], images: 6 });
      const path = await reportRun(run(name));
      for (const width of [768, 1280]) {
        await page.resize(width, 900);
        await openSilently(path);
        const [beyond, names] = await page.evaluate<[number, number]>(`(() => {
          const scroll = document.querySelector('figure[data-chart="confusion"] .scroll');
          const cells = [...scroll.querySelectorAll("rect")].map((cell) => cell.getBoundingClientRect().right);
          const texts = [...scroll.querySelectorAll('[aria-label="x-axis tick label"] text')];
          return [Math.max(...cells) - scroll.getBoundingClientRect().right, texts.length];
        })()`);
        expect(beyond).toBeLessThanOrEqual(0);
        expect(names).toBe(Math.min(31, classes.length + 1));
      }
      const pdf = (await page.pdf()).toString("latin1");
      expect(pdf.match(/\/Type\s*\/Page[^s]/g)!.length).toBeLessThanOrEqual(pages);
    }
    await page.resize(1200, 900);
  });

  test("a picture grows when it is chosen, and shrinks again", async () => {
    await openSilently(join(run("long"), "report.html"));
    const widths = await page.evaluate<number[]>(`(() => {
      const button = document.querySelector(".pictures button");
      const width = () => Math.round(button.getBoundingClientRect().width);
      const before = width();
      button.click();
      const large = width();
      button.click();
      return [before, large, width()];
    })()`);
    expect(widths[1]).toBeGreaterThan(1.8 * widths[0]!);
    expect(widths[2]).toBe(widths[0]);
  });

  test("names that are code stay names", async () => {
    await openSilently(await reportRun(run("hostile")));
    expect(await page.evaluate("String(window.hacked)")).toBe("undefined");
    const shown = await page.evaluate<string[]>(
      "[...document.querySelectorAll('#classes tbody th')].map((t) => t.textContent)",
    );
    expect(shown).toContain(HOSTILE[0]);
    expect(shown).toContain(HOSTILE[1]);
  });

  test("code that got into the page in spite of all would not run", async () => {
    const text = await readFile(join(run("long"), "report.html"), "utf8");
    const path = join(dir, "injected.html");
    await writeFile(
      path,
      text.replace("</header>", `<script>window.hacked = 5</script><img src="https://example.invalid/x"></header>`),
    );
    page.requests.length = 0;
    await page.open(pathToFileURL(path).href);
    expect(await page.evaluate("String(window.hacked)")).toBe("undefined");
    expect(page.complaints.join("\n")).toMatch(/Content Security Policy/);
  });

  test("a run has a page at any time: before its first row, without evaluations, with damaged files", async () => {
    await writeLongRun(run("young"), { epochs: 3, images: 4, classes: ["only"] });
    const metrics = join(run("young"), "metrics.jsonl");
    const rows = (await readFile(metrics, "utf8")).trimEnd().split("\n");
    await openSilently(await reportRun(run("young")));
    const states: string[][] = [
      [],
      rows.slice(0, 1),
      rows.slice(0, 5),
      rows.slice(0, 13),
      rows.filter((row) => row.includes('"val"')),
    ];
    for (const some of states) {
      await writeFile(metrics, some.map((row) => `${row}\n`).join(""));
      await openSilently(await reportRun(run("young")));
    }
    await writeFile(metrics, rows.map((row) => `${row}\n`).join(""));
    await appendFile(join(run("young"), "log.jsonl"), "{torn");
    for (const file of ["evaluation.json", "evaluation-best.json", "environment.json"])
      await writeFile(join(run("young"), file), '{"format": 1');
    await openSilently(await reportRun(run("young")));
    expect(await page.evaluate("document.querySelectorAll('.pictures img').length")).toBe(0);
  });

  test("many classes fit: names are clipped, tables fold, the matrix scrolls by itself", async () => {
    const classes = Array.from({ length: 130 }, (_, i) => `a class with a long name, number ${i}`);
    await writeLongRun(run("many"), { epochs: 6, images: 40, classes });
    const path = await reportRun(run("many"));
    expect((await stat(path)).size).toBeLessThan(3e6);
    for (const width of [1200, 400]) {
      await page.resize(width, 900);
      await openSilently(path);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
    await page.resize(1200, 900);
  });

  test("a comparison has a page of its own, whatever the two runs have in common", async () => {
    await writeLongRun(run("other"), { epochs: 30, classes: ["heron", "stork", "owl"], seed: 9, images: 4 });
    const [long, other, young, hostile] = await Promise.all(
      ["long", "other", "young", "hostile"].map((name) => readRunFolder(run(name))),
    );
    for (const [a, b] of [
      [long!, other!],
      [young!, long!],
      [hostile!, other!],
    ] as const) {
      const path = join(dir, "compare.html");
      await writeFile(path, await comparePage(a, b));
      await openSilently(path);
      expect(await page.evaluate("String(window.hacked)")).toBe("undefined");
    }
  });
});
