// The page of suspected labels in a browser, and what it hands back.

import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { suspectsPage } from "../src/report/suspects/suspectsPage.ts";
import type { SuspectsRecord } from "../src/report/suspects/suspectsRecord.ts";
import { readSuspects } from "../src/review/record.ts";
import { inBrowser, openAlone } from "./support/browser.ts";
import { someSuspects } from "./support/suspects.ts";

inBrowser((page) => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "suspects-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function write(name: string, ...given: Parameters<typeof someSuspects>): Promise<string> {
    const { record, crops } = await someSuspects(...given);
    const path = join(dir, `${name}.html`);
    await writeFile(
      path,
      await suspectsPage(record, crops, {
        classes: given[1]?.classes ?? ["ant", "bee", "cat"],
        all: record.suspects.length + 3,
        command: "correct it",
      }),
    );
    return path;
  }
  const press = (...keys: string[]) => page.evaluate(`for (const key of ${JSON.stringify(keys)}) dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))`); // biome-ignore format: one line
  const said = () => page.evaluate<string>("document.querySelector('[role=status]').textContent");
  const choose = (selector: string, act: string) => page.evaluate(`(() => { const one = document.querySelector(${JSON.stringify(selector)}); ${act}; one.dispatchEvent(new Event("change", { bubbles: true })); })()`); // biome-ignore format: one line
  /** Opened again; the browser writes down what a page has it keep a moment later, and a page that comes at once may not see it yet. */
  const reopened = (path: string, check: () => Promise<void>) =>
    vi.waitFor(async () => {
      await openAlone(page, path);
      await check();
    });
  /** The text of the file that the button would download. */
  const downloaded = () =>
    page.evaluate<string>(`new Promise((done) => {
    const { createObjectURL } = URL;
    HTMLAnchorElement.prototype.click = function () { globalThis.downloadName = this.download; };
    URL.createObjectURL = (blob) => { blob.text().then(done); return createObjectURL(blob); };
    document.querySelector("[name=download]").click();
  })`);

  test("500 suspects with crops as large as may be are under 5 MB and open within a second", async () => {
    const path = await write("many", 500, { side: 200, quality: 60 });
    const { size } = await stat(path);
    expect(size).toBeGreaterThan(3.5e6);
    expect(size).toBeLessThan(5e6);
    await openAlone(page, path);
    const times = [];
    for (let i = 0; i < 3; i++) times.push(await page.open(`file://${path}`));
    expect(Math.min(...times)).toBeLessThan(1000);
    expect(await page.evaluate("document.querySelector('h1').textContent")).toBe("500 suspects");
    await page.evaluate("scrollTo(0, document.body.scrollHeight)");
    const more = "new Promise((done) => (function look() { const n = document.querySelectorAll('article').length; n > 40 ? done(n) : setTimeout(look, 10); })())"; // biome-ignore format: one line
    expect(await page.evaluate<number>(more)).toBeGreaterThan(40);
  });

  test("keys accept, reject, undo and move; what was decided is there when the page is opened again, and in the file", async () => {
    const path = await write("keys", 60);
    await openAlone(page, path);
    await press("a", "r", "a", "ArrowLeft", "u", "ArrowDown", "a", "x");
    expect(await said()).toBe("60 shown. 2 accepted, 1 rejected, 57 open.");
    await reopened(path, async () => expect(await said()).toBe("60 shown. 2 accepted, 1 rejected, 57 open."));
    await press(...Array.from({ length: 59 }, () => "ArrowRight"), "r");
    expect(await page.evaluate("document.querySelector('article.current .suspect-file').textContent")).toMatch(/^60\./);
    await writeFile(join(dir, "decisions.json"), await downloaded());
    expect(await page.evaluate("globalThis.downloadName")).toBe("decisions.json");
    const { suspects } = await readSuspects(join(dir, "decisions.json"));
    const of = (decision: string) => suspects.filter((one) => one.decision === decision).map(({ id }) => id);
    expect(suspects).toHaveLength(60);
    expect(of("accept")[0]).toBe(1);
    expect([of("accept").length, of("reject")]).toEqual([2, [2, 60]]);
    const { record } = await someSuspects(60);
    const { decision: _, ...first } = suspects[0]!;
    expect(first).toEqual((record satisfies SuspectsRecord).suspects[0]);
  });

  test("kind, class and decision choose what is shown; buttons decide, and decide back", async () => {
    await openAlone(page, await write("filters", 48));
    await page.evaluate("document.querySelector('input[value=double]').click()");
    expect(await said()).toMatch(/^12 shown/);
    await choose("select[name=class]", 'one.value = "bee"');
    expect(await said()).toMatch(/^4 shown/);
    await page.evaluate("document.querySelector('article [data-decision=reject]').click()");
    expect(await said()).toMatch(/1 rejected/);
    await choose("select[name=open]", 'one.value = "open"');
    expect(await said()).toMatch(/^3 shown/);
    await choose("select[name=open]", 'one.value = "reject"');
    expect(await said()).toMatch(/^1 shown/);
    await page.evaluate("document.querySelector('article [data-decision=reject]').click()");
    expect(await said()).toMatch(/0 rejected, 48 open/);
    const drawn = "[...document.querySelectorAll('article svg rect')].map((rect) => rect.getAttribute('class')).sort()";
    expect(await page.evaluate(drawn)).toEqual(["label", "label gone", "near", "near"]);
  });

  test("another class than was found can be chosen, and goes into the file", async () => {
    const path = await write("classes", 8);
    await openAlone(page, path);
    expect(await page.evaluate("document.querySelectorAll('article select').length")).toBe(4);
    await choose("article select", 'one.value = "cat"');
    await press("a");
    expect(await page.evaluate("document.querySelector('article').textContent")).toContain(
      "Accepting adds the label cat.",
    );
    await reopened(path, async () => {
      expect(await page.evaluate("document.querySelector('article select').value")).toBe("cat");
    });
    const [first, second] = (JSON.parse(await downloaded()) as SuspectsRecord).suspects;
    expect([first!.found!.class, first!.decision, second!.found!.class]).toEqual(["cat", "accept", "cat"]);
    expect((await someSuspects(8)).record.suspects[0]!.found!.class).toBe("bee");
  });

  test("names that are code stay names, and a narrow window does not scroll sideways, in the dark either", async () => {
    const classes = [
      "</script><script>window.hacked = 1</script>",
      "<img src=x onerror=alert(1)>\u0000",
      "x".repeat(200),
    ];
    await page.resize(400, 900);
    await page.media({ dark: true });
    await openAlone(page, await write("hostile", 12, { classes }));
    expect(await page.evaluate("String(window.hacked)")).toBe("undefined");
    expect(await page.evaluate("document.querySelectorAll('article').length")).toBe(12);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(400);
    await page.media({});
    await page.resize(1200, 900);
  });
});
