import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childOf, parseXml, readXml, textIn } from "./xml.ts";

describe("XML", () => {
  it("is elements and their text; comments, attributes and instructions are none of it", () => {
    const text = `<?xml version="1.0"?><!DOCTYPE a><?go on?><a x="1"><!-- no --><b> x &amp; <![CDATA[<y>]]> &#233;\n</b><c/></a>`;
    const top = parseXml(text, "a.xml");
    expect(textIn(top, "b")).toBe("x & <y> é");
    expect(childOf(top, "c")).toEqual({ name: "c", text: "", children: [] });
    expect([childOf(top, "d"), textIn(undefined, "b")]).toEqual([undefined, ""]);
  });

  it("is read in the encoding that it declares", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "xml-")), "a.xml");
    const read = async (bytes: Buffer) => {
      await writeFile(path, bytes);
      return textIn(await readXml(path, { most: 1000 }), "b");
    };
    expect(await read(Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a><b>\xe9</b></a>', "latin1"))).toBe(
      "é",
    );
    expect(await read(Buffer.from("\ufeff<a><b>é</b></a>", "utf16le"))).toBe("é");
    expect(await read(Buffer.from("\ufeff<a><b>é</b></a>"))).toBe("é");
    await expect(read(Buffer.from("<a><b>\xe9</b></a>", "latin1"))).rejects.toThrow(/a\.xml is not text in utf-8/);
    await expect(read(Buffer.from('<?xml version="1.0" encoding="no-such"?><a/>'))).rejects.toThrow(
      /not text in no-such/,
    );
    await expect(read(Buffer.alloc(1001, " "))).rejects.toThrow(/1001 bytes long/);
  });

  it.each([
    ["nothing", "", /not valid XML/],
    ["half a file", "<a><b>", /a\.xml, line 1: not valid XML: unclosed tag/],
    ["tags that cross", "<a><b></a></b>", /not valid XML/],
    ["two outermost elements", "<a/><b/>", /not valid XML/],
    ["plain text", "no XML", /not valid XML/],
    ["an entity of its own", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', /document type of its own/],
    [
      "a billion laughs",
      '<!DOCTYPE a [<!ENTITY b "hahaha"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
      /document type of its own/,
    ],
    [
      "a file from outside",
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      /document type of its own/,
    ],
    ["an entity that is not there", "<a>&nbsp;</a>", /undefined entity/],
    ["great depth", "<a>".repeat(60), /nested deeper than 50 levels/],
    ["a great many elements", `<a>${"<b/>".repeat(1_000_001)}</a>`, /more than 1000000 elements/],
  ])("is refused with %s", (_, text, why) => {
    expect(() => parseXml(text, "a.xml")).toThrow(why);
  });
});
