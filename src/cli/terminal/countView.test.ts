import { expect, test } from "vitest";
import { countView, ofImages } from "./countView.ts";
import { downloadView } from "./downloadView.ts";

/** A stream that is no terminal and keeps what was written. */
function paper(): { stream: NodeJS.WriteStream; lines: () => string[] } {
  const chunks: string[] = [];
  const stream = { write: (chunk: string) => chunks.push(chunk) } as unknown as NodeJS.WriteStream;
  return { stream, lines: () => chunks.join("").split("\n").slice(0, -1) };
}

test("without a terminal a count is a line for each thing, one every five seconds, or none", () => {
  for (const [plain, expected] of [
    ["each", ["one", "two"]],
    ["seconds", ["one: 3 of 9 images", "two: 1 of 9 images", "two: 3 of 9 images"]],
    ["none", []],
  ] as const) {
    let time = 0;
    const { stream, lines } = paper();
    const view = countView(stream, { amount: ofImages, plain, now: () => time });
    for (const what of ["one", "two"])
      for (const done of [1, 2, 3, 9]) {
        view.update(what, done, 9);
        time += 3;
      }
    expect(lines()).toEqual(expected);
  }
});

test("a download is a line every tenth, and says why it begins again", () => {
  const { stream, lines } = paper();
  const view = downloadView(stream, "w.pth");
  for (let done = 0; done <= 40; done++) view.progress(done * 1e6, 40e6);
  view.retry("reset");
  expect(lines()).toHaveLength(12);
  expect(lines()[1]).toBe("Downloading w.pth: 4.0 MB of 40.0 MB");
  expect(lines().at(-1)).toBe("Downloading w.pth: reset; trying again");
});
