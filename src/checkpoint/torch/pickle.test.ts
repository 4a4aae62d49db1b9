import { expect, test } from "vitest";
import { unpickle } from "./pickle.ts";
import { isTagged } from "./pickleValues.ts";

const text = (value: string) => [0x8c, value.length, ...Buffer.from(value)];
const PROTO = [0x80, 2];

test("one large dict can be the fields of many namespaces without a copy for each", () => {
  const [count, keys] = [20_000, 20_000];
  const dict = [
    0x7d,
    0x71,
    0,
    0x28,
    ...Array.from({ length: keys }, (_, i) => [0x4a, i & 255, i >> 8, 0, 0, 0x4e]).flat(),
    0x75,
    0x30,
  ];
  const made = [0x68, 1, 0x29, 0x81, 0x68, 0, 0x62, 0x61]; // a Namespace, built from the dict, appended
  const name = [...text("argparse"), ...text("Namespace"), 0x93, 0x71, 1, 0x30];
  const bytes = Uint8Array.from([...PROTO, ...dict, ...name, 0x5d, ...Array(count).fill(made).flat(), 0x2e]);
  const before = process.memoryUsage().rss;
  const { value } = unpickle(bytes, 0, "x.pth");
  expect(value).toHaveLength(count);
  expect((value as never[]).every((one) => isTagged(one, "namespace"))).toBe(true);
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
});

test("the fields of a namespace are set once", () => {
  const name = [...text("argparse"), ...text("Namespace"), 0x93, 0x29, 0x81];
  const dict = [0x7d, ...text("a"), 0x4e, 0x73, 0x62];
  expect(() => unpickle(Uint8Array.from([...PROTO, ...name, ...dict, ...dict, 0x2e]), 0, "x.pth")).toThrow(/twice/);
});
