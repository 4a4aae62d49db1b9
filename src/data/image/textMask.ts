// Text as coverage, for labels on pictures: with the machine's own font, or with plain built-in letters where it has none.

import sharp from "sharp";

/** Coverage 0..255, `[height, width]`. */
export type TextMask = { data: Uint8Array; width: number; height: number };

/** Render one line of text, about `size` pixels high. Any character may be in it; the mask is as large as its ink. */
export async function textMask(text: string, size: number): Promise<TextMask> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these cannot be drawn, and Pango refuses them
  const line = text.replace(/[\u0000-\u001f\u007f\u2028\u2029\ufffe\uffff]|\p{Surrogate}/gu, " ").trim();
  if (!/[^\p{Cf}\p{Mn}\s]/u.test(line)) return { data: new Uint8Array(1), width: 1, height: 1 }; // nothing of it has ink
  hasFont ??= findFont();
  return (await hasFont) ? pangoMask(line, size) : builtInMask(line, size);
}

let hasFont: Promise<boolean> | undefined;

/** Without any font every character comes out as the same placeholder; with one, a dot is lower than a letter. */
async function findFont(): Promise<boolean> {
  try {
    const [dot, letter] = await Promise.all([pangoMask(".", 40), pangoMask("M", 40)]);
    return dot.height < letter.height / 2;
  } catch {
    return false;
  }
}

async function pangoMask(text: string, size: number): Promise<TextMask> {
  const escaped = text.replace(/[<>&]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[c]!);
  const { data, info } = await sharp({ text: { text: escaped, font: `sans bold ${size}px`, dpi: 72 } })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

const [COLUMNS, ROWS] = [5, 7];

/** The built-in letters, 5 by 7; each character of a value is a row of five bits in base 32. Exported for its test. */
export function builtInMask(text: string, size: number): TextMask {
  const plain = [...text.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase()];
  const scale = Math.max(1, Math.round((0.75 * size) / ROWS));
  const [width, height] = [(plain.length * (COLUMNS + 1) - 1) * scale, ROWS * scale];
  const data = new Uint8Array(width * height);
  for (const [i, character] of plain.entries()) {
    const rows = GLYPHS[character] ?? GLYPHS["?"]!;
    for (let y = 0; y < height; y++) {
      const bits = Number.parseInt(rows[Math.floor(y / scale)]!, 32);
      for (let x = 0; x < COLUMNS * scale; x++)
        if ((bits >> (COLUMNS - 1 - Math.floor(x / scale))) & 1) data[y * width + i * (COLUMNS + 1) * scale + x] = 255;
    }
  }
  return { data, width, height };
}

// biome-ignore format: a table
const GLYPHS: Record<string, string> = {
  A: "ehhvhhh", B: "uhhuhhu", C: "ehggghe", D: "uhhhhhu", E: "vgguggv", F: "vgguggg", G: "ehgnhhf", H: "hhhvhhh",
  I: "e44444e", J: "72222ic", K: "hikokih", L: "ggggggv", M: "hrllhhh", N: "hhpljhh", O: "ehhhhhe", P: "uhhuggg",
  Q: "ehhhlid", R: "uhhukih", S: "fgge11u", T: "v444444", U: "hhhhhhe", V: "hhhhha4", W: "hhhllla", X: "hha4ahh",
  Y: "hhha444", Z: "v1248gv", 0: "ehjlphe", 1: "4c4444e", 2: "eh1248v", 3: "v2421he", 4: "26aiv22", 5: "vgu11he",
  6: "68guhhe", 7: "v124888", 8: "ehhehhe", 9: "ehhf12c", " ": "0000000", ".": "00000cc", ",": "0000c48",
  ":": "0cc0cc0", "-": "000v000", _: "000000v", "/": "01248g0", "%": "op248j3", "(": "2488842", ")": "8422248",
  "+": "044v440", "&": "cik8lid", "'": "c480000", "#": "aavavaa", "!": "4444404", "?": "eh12404",
};
