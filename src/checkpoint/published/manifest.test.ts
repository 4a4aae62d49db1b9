import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { fetchPublished, findPublished, publishedPath, publishedWeights } from "./published.ts";

describe("the manifest", () => {
  it("lists each variant, with an address and a checksum", () => {
    expect(new Set(publishedWeights().map(({ variant }) => variant))).toEqual(
      new Set([
        ...["nano", "small", "medium", "large", "base", "large-deprecated", "mini"],
        ...["preview", "mini", "nano", "small", "medium", "large", "xlarge", "2xlarge"].map((size) => `seg-${size}`),
      ]),
    );
    for (const { name, url, md5, file } of publishedWeights()) {
      expect(name).toMatch(url === undefined ? /^(seg-)?mini-shapes$/ : /^rf-detr-[a-z0-9-]+$/);
      if (url !== undefined) expect(url).toMatch(/^https:\/\/storage\.googleapis\.com\/rfdetr\/.+\.pth?$/);
      expect(md5).toMatch(/^[0-9a-f]{32}$/);
      expect(findPublished(file)?.name).toBe(name);
    }
    expect(findPublished("rf-detr-large")?.file).toBe("rf-detr-large-2026.pth");
  });

  it("has weights of the package in its folder, with their checksum", async () => {
    const readme = { name: "x", variant: "mini", file: "README.md", md5: "" };
    await expect(fetchPublished("x", { weights: [readme] })).rejects.toThrow(
      /of this package are damaged: .*README\.md/,
    );
    await expect(fetchPublished("x", { weights: [{ ...readme, file: "no.txt" }] })).rejects.toThrow("are missing");
    for (const entry of publishedWeights().filter(({ url }) => url === undefined))
      expect(await fetchPublished(entry.name)).toBe(publishedPath(entry));
  });

  it("says what a misspelt name may mean", async () => {
    await expect(fetchPublished("rf-detr-nanno", { cacheFolder: tmpdir() })).rejects.toThrow(
      /Did you mean "rf-detr-nano"/,
    );
  });
});
