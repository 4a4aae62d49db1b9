import { expect, test } from "vitest";
import { bytes, double, embed, float, int, message, readFields, text, toBytes } from "./protobuf.ts";

const hex = (encoded: Parameters<typeof toBytes>[0]) => Buffer.from(toBytes(encoded)).toString("hex");

test("numbers, texts and embedded messages have the bytes that protobuf's documentation gives", () => {
  expect(hex(int(1, 150))).toBe("089601");
  expect(hex(text(2, "testing"))).toBe("120774657374696e67");
  expect(hex(embed(3, int(1, 150)))).toBe("1a03089601");
  expect(hex(int(1, -2))).toBe("08feffffffffffffffff01");
  expect(hex(float(1, 1))).toBe("0d0000803f");
  expect(hex(double(1, 1))).toBe("09000000000000f03f");
  expect(hex(int(16, true))).toBe("800101");
});

test("what is written is read back, field by field", () => {
  const payload = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
  const encoded = toBytes(message(int(1, 2n ** 63n), undefined, text(2, "ä"), bytes(300, payload), float(4, 0.5)));
  expect(
    [...readFields(encoded)].map(({ field, value }) => [field, value instanceof Uint8Array ? [...value] : value]),
  ).toEqual([
    [1, 2n ** 63n],
    [2, [...Buffer.from("ä")]],
    [300, [...payload]],
    [4, [0, 0, 0, 63]],
  ]);
});

test.each([
  ["ends within a number", "0896"],
  ["ends within a text", "1207746573"],
  ["has a length beyond any file", "12ffffffffffffffff7f00"],
  ["has a wire type that does not exist", "0f"],
  ["has field number 0", "0001"],
])("a message that %s is refused", (_, input) => {
  expect(() => [...readFields(Buffer.from(input, "hex"))]).toThrow(RangeError);
});
