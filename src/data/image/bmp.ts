// Windows bitmaps, which sharp does not read: uncompressed ones of 1 to 32 bits a pixel, as Pillow's `convert("RGB")` gives them.

/** Whether these bytes begin as a bitmap does. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d && bytes.length >= 26;
}

/** In pixels, inside of the picture. */
type Part = { left: number; top: number; width: number; height: number };

type Header = {
  width: number;
  height: number;
  /** Rows from the top down; most bitmaps begin at the bottom. */
  topDown: boolean;
  bits: number;
  /** Where the colour table lies, its entries, and the bytes of each. */
  table: { at: number; entries: number; size: 3 | 4 };
  pixels: number;
  /** Bits of red, green and blue in a pixel of 16 or 32 bits. */
  masks: readonly [number, number, number];
};

/** Width and height from the header. Throws an Error where it is none that is read here. */
export function bmpSize(bytes: Uint8Array): { width: number; height: number } {
  const { width, height } = readHeader(bytes);
  return { width, height };
}

/** RGB bytes `[height, width, 3]`, or those of a part. Throws an Error where the file is damaged, compressed, or has more than `most` pixels. */
export function decodeBmp(
  bytes: Uint8Array,
  { most, area }: { most: number; area?: Part | undefined },
): { data: Uint8Array; width: number; height: number } {
  const header = readHeader(bytes);
  const { width, height, topDown, bits, pixels } = header;
  const part = area ?? { left: 0, top: 0, width, height };
  if (part.width * part.height > most) throw new Error("it exceeds the pixel limit");
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (pixels + stride * height > bytes.length) throw new Error("it is truncated");
  const data = new Uint8Array(3 * part.width * part.height);
  const put = bits <= 8 ? fromTable(bytes, header) : fromChannels(bytes, header);
  for (let y = 0, to = 0; y < part.height; y++) {
    const line = part.top + y;
    const row = pixels + stride * (topDown ? line : height - 1 - line);
    for (let x = 0; x < part.width; x++, to += 3) put(data, to, row, part.left + x);
  }
  return { data, width: part.width, height: part.height };
}

/** Writes the colour of pixel `x` of the row that begins at `row`. */
type Put = (data: Uint8Array, to: number, row: number, x: number) => void;

function fromTable(bytes: Uint8Array, { bits, table }: Header): Put {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  return (data, to, row, x) => {
    const shift = bits * (perByte - 1 - (x % perByte));
    const index = (bytes[row + Math.floor(x / perByte)]! >> shift) & mask;
    if (index >= table.entries) return; // black, as in Pillow
    const at = table.at + table.size * index;
    data[to] = bytes[at + 2]!;
    data[to + 1] = bytes[at + 1]!;
    data[to + 2] = bytes[at]!;
  };
}

function fromChannels(bytes: Uint8Array, { bits, masks }: Header): Put {
  const size = bits / 8;
  if (bits === 24)
    return (data, to, row, x) => {
      for (let c = 0; c < 3; c++) data[to + c] = bytes[row + 3 * x + 2 - c]!;
    };
  const channels = masks.map((mask) => {
    const shift = 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift };
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (data, to, row, x) => {
    const at = row + size * x;
    const value = bits === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
    for (const [c, { mask, shift, most }] of channels.entries())
      data[to + c] = Math.floor((((value & mask) >>> shift) * 255) / most);
  };
}

const [PLAIN, BIT_FIELDS] = [0, 3];
const FILE_HEADER = 14;

function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [pixels, size] = [view.getUint32(10, true), view.getUint32(FILE_HEADER, true)];
  const old = size === 12;
  if (!old && ![40, 52, 56, 64, 108, 124].includes(size)) throw new Error(`it has a header of ${size} bytes`);
  if (bytes.length < FILE_HEADER + size) throw new Error("it is truncated");
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true);
  const tall = old ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(old ? 24 : 28, true);
  const compression = old ? PLAIN : view.getUint32(30, true);
  const used = old ? 0 : view.getUint32(46, true);
  if (width < 1 || tall === 0) throw new Error("it has no size");
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`it has ${bits} bits a pixel`);
  if (compression !== PLAIN && !(compression === BIT_FIELDS && bits >= 16)) throw new Error("it is compressed");
  const masks = compression === BIT_FIELDS ? masksOf(view, bits) : bits === 16 ? FIFTEEN : WHOLE;
  const after = FILE_HEADER + size;
  const entries = Math.min(used || 1 << Math.min(bits, 8), 256);
  const table = { at: after, entries: bits <= 8 ? entries : 0, size: old ? 3 : 4 } as const;
  if (table.at + table.entries * table.size > bytes.length || pixels < after) throw new Error("it is truncated");
  return { width, height: Math.abs(tall), topDown: tall < 0, bits, table, pixels, masks };
}

const WHOLE = [0xff0000, 0xff00, 0xff] as const;
const FIFTEEN = [0x7c00, 0x3e0, 0x1f] as const;

/** They lie behind the first 40 bytes of the header, in it or after it. */
function masksOf(view: DataView, bits: number): Header["masks"] {
  if (view.byteLength < 66) throw new Error("it is truncated");
  const [red, green, blue] = [54, 58, 62].map((at) => view.getUint32(at, true)) as [number, number, number];
  if ([red, green, blue].some((mask) => mask === 0 || (bits === 16 && mask > 0xffff)))
    throw new Error("its colours lie in no bits");
  return [red, green, blue];
}
