import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { installedVersion } from "../util/package.ts";
import { describeEnvironment } from "./environment.ts";

test("a run notes what reads its images and runs its files, and the lockfile of all else", async () => {
  const engine = { tfjs: "1", libtensorflow: "2", device: "cpu" };
  const found = await describeEnvironment(engine, { fingerprint: "f" });
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(found).toMatchObject({
    sharp: dependencies.sharp,
    onnxruntime: optionalDependencies["onnxruntime-node"],
    lockfile: {
      file: "package-lock.json",
      sha256: createHash("sha256").update(readFileSync("package-lock.json")).digest("hex"),
    },
  });
  expect(installedVersion("a-package-that-nobody-has")).toBeNull();
});
