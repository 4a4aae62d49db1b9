// XML of foreign files: elements and their text, no entities but XML's own five, and nothing that is larger or deeper than such files are.

import { SaxesParser } from "saxes";
import { UserError } from "../../errors.ts";
import { visible } from "../../visible.ts";
import { readRegular } from "../regular.ts";

/** An element; `text` is what stands directly in it, without the spaces around. Attributes are left out. */
export type XmlElement = { name: string; text: string; children: XmlElement[] };

export type XmlOptions = {
  /** Bytes that such a file has at most. */
  most: number;
};

const MOST_LEVELS = 50;
const MOST_ELEMENTS = 1_000_000;

/**
 * The outermost element of an XML file, in the encoding that it declares. Throws a UserError that names the file, and the
 * line, where it is no XML, declares entities or is too large; likewise what `readRegular` throws.
 */
export async function readXml(path: string, { most }: XmlOptions): Promise<XmlElement> {
  return parseXml(decode(await readRegular(path, { most, kind: "XML file of annotations" }), path), path);
}

function decode(bytes: Buffer, path: string): string {
  const declared = /^<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]+)["']/.exec(bytes.toString("latin1", 0, 200))?.[1];
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : undefined; // biome-ignore format: one line
  const encoding = wide ?? declared ?? "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError(`${path} is not text in ${encoding}.`, { hint: "Save it in UTF-8.", cause });
  }
}

/** The outermost element of an XML text. Throws a UserError that names `source` and the line. */
export function parseXml(text: string, source: string): XmlElement {
  const parser = new SaxesParser({ xmlns: false });
  const top: XmlElement = { name: "", text: "", children: [] };
  const open = [top];
  let elements = 0;
  const wrong = (why: string) =>
    new UserError(`${source}, line ${parser.line}: not valid XML: ${visible(why).slice(0, 200)}.`, {
      hint: "Is the file complete? Write or export it again.",
    });
  parser.on("error", (error) => {
    throw wrong(error.message.replace(/^\d+:\d+: /, "").replace(/\.$/, ""));
  });
  parser.on("doctype", (doctype) => {
    if (doctype.includes("[")) throw wrong("it declares a document type of its own, which is not read");
  });
  parser.on("opentag", ({ name }) => {
    if (++elements > MOST_ELEMENTS) throw wrong(`it has more than ${MOST_ELEMENTS} elements`);
    if (open.length > MOST_LEVELS) throw wrong(`it is nested deeper than ${MOST_LEVELS} levels`);
    const element: XmlElement = { name, text: "", children: [] };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  const addText = (more: string) => {
    open.at(-1)!.text += more;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("closetag", () => {
    const element = open.pop()!;
    element.text = element.text.trim();
  });
  parser.write(text).close();
  return top.children[0]!;
}

/** The first element of a name directly in another one. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** The text of the first element of a name directly in another one; "" where there is none. */
export function textIn(element: XmlElement | undefined, name: string): string {
  return childOf(element, name)?.text ?? "";
}
