// What surrounds an exported model.onnx: what the file says of itself, pixels in, detections out. Plain JavaScript without
// dependencies, for Node.js and browsers alike: copy it beside your own code.

/**
 * @typedef {object} About
 * @property {number} side Side of the square images that the model takes, in pixels.
 * @property {number[]} mean Of red, green and blue, on the scale 0..1.
 * @property {number[]} std
 * @property {{ label: number, name: string }[]} classes A label that is not among them means nothing.
 * @property {number} limit The most detections an image.
 * @property {number} threshold The score above which detections count, as its training chose it.
 * @property {Record<number, number>} thresholds The same by label, of classes that have one of their own.
 */

/**
 * @typedef {object} Detection
 * @property {number[]} box Left, top, right and bottom, in pixels of the picture.
 * @property {number} score From 0 to 1.
 * @property {string} name
 * @property {number} query Which of the model's queries found it: its mask is this one's.
 */

/**
 * What an exported file says of itself.
 * @param {Uint8Array} file The whole file.
 * @returns {About}
 */
export function describeModel(file) {
  const metadata = readMetadata(file);
  if (metadata.outputs === "decoded")
    throw new Error("The model was exported with --decode; this takes the plain file.");
  const json = (key) => {
    if (metadata[key] === undefined)
      throw new Error(`The model says nothing of its ${key}; was it exported by rfdetr-train?`);
    return JSON.parse(metadata[key]);
  };
  return {
    side: json("resolution"),
    mean: json("mean"),
    std: json("std"),
    classes: json("classes"),
    limit: json("num_select"),
    threshold: JSON.parse(metadata.threshold ?? "0.5"),
    thresholds: JSON.parse(metadata.thresholds ?? "{}"),
  };
}

/**
 * The metadata of an ONNX file by key: field 14 of the outermost message, a key and a value each.
 * @param {Uint8Array} file
 * @returns {Record<string, string>}
 */
export function readMetadata(file) {
  const text = (bytes) => new TextDecoder().decode(bytes);
  const found = {};
  for (const [field, entry] of fields(file)) {
    if (field !== 14) continue;
    const parts = Object.fromEntries(fields(entry));
    found[text(parts[1] ?? new Uint8Array())] = text(parts[2] ?? new Uint8Array());
  }
  return found;
}

/** The fields of a message of protocol buffers; numbers are skipped, everything else is given as bytes. */
function* fields(bytes) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length) throw new Error("This is no ONNX file, or only a part of one.");
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const kind = tag & 7;
    if (kind === 0) number();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = number();
      if (at + length > bytes.length) throw new Error("This is no ONNX file, or only a part of one.");
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("This is no ONNX file, or a damaged one.");
  }
}

/**
 * A picture as the model's input: stretched to a square, bilinear between pixel centres, normalised, one plane a colour.
 * @param {{ data: ArrayLike<number>, width: number, height: number }} picture Bytes, RGB or RGBA, row by row.
 * @param {About} about
 * @returns {Float32Array} [3, side, side]
 */
export function toInput({ data, width, height }, { side, mean, std }) {
  const channels = data.length / (width * height);
  const xs = neighbours(width, side);
  const ys = neighbours(height, side);
  const input = new Float32Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const top = ys.low[y] * width;
    const bottom = ys.high[y] * width;
    const v = ys.weight[y];
    for (let x = 0; x < side; x++) {
      const u = xs.weight[x];
      for (let c = 0; c < 3; c++) {
        const at = (row, column) => data[(row + column) * channels + c];
        const upper = at(top, xs.low[x]) * (1 - u) + at(top, xs.high[x]) * u;
        const lower = at(bottom, xs.low[x]) * (1 - u) + at(bottom, xs.high[x]) * u;
        input[(c * side + y) * side + x] = ((upper * (1 - v) + lower * v) / 255 - mean[c]) / std[c];
      }
    }
  }
  return input;
}

/** The two pixels that lie around each new one, and the weight of the second. */
function neighbours(from, to) {
  const [low, high, weight] = [new Int32Array(to), new Int32Array(to), new Float64Array(to)];
  for (let i = 0; i < to; i++) {
    const place = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    low[i] = Math.min(Math.floor(place), from - 1);
    high[i] = Math.min(low[i] + 1, from - 1);
    weight[i] = place - low[i];
  }
  return { low, high, weight };
}

/**
 * The detections of one picture, the best first.
 * @param {ArrayLike<number>} dets [queries, 4]: centre, width and height as shares of the picture's.
 * @param {Float32Array} labels [queries, classes + 1]: logits.
 * @param {About} about
 * @param {{ width: number, height: number, threshold?: number }} picture Its size; scores above `threshold` are kept, by default
 * above what the file says.
 * @returns {Detection[]}
 */
export function toDetections(dets, labels, { classes, limit, ...about }, { width, height, threshold }) {
  const queries = dets.length / 4;
  const slots = labels.length / queries;
  const names = new Map(classes.map(({ label, name }) => [label, name]));
  const found = [];
  for (const [i, logit] of labels.entries()) {
    const score = 1 / (1 + Math.exp(-logit));
    const label = i % slots;
    const least = threshold ?? about.thresholds[label] ?? about.threshold;
    if (score > least) found.push({ query: Math.floor(i / slots), score, name: names.get(label) });
  }
  const best = found.sort((a, b) => b.score - a.score).slice(0, limit);
  const known = best.filter(({ name }) => name !== undefined); // one slot of each query is the background
  const clip = (value, most) => Math.min(Math.max(value, 0), most);
  return known.map(({ query, score, name }) => {
    const [x, y, w, h] = [0, 1, 2, 3].map((i) => dets[4 * query + i]);
    const box = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height];
    return { box: box.map((value, i) => clip(value, i % 2 === 0 ? width : height)), score, name, query };
  });
}

/**
 * The mask of a detection of a segmenter, enlarged to the picture: bilinear between the centres of its cells, inside above 0.
 * @param {{ data: Float32Array, dims: readonly number[] }} masks The output of that name for one picture: [1, queries, rows, columns], logits.
 * @param {number} query The detection's.
 * @param {{ width: number, height: number }} picture Its size.
 * @returns {Uint8Array} [height, width], row by row, 1 inside.
 */
export function toMask({ data, dims }, query, { width, height }) {
  const [rows, columns] = dims.slice(2);
  const logits = data.subarray(query * rows * columns, (query + 1) * rows * columns);
  const xs = neighbours(columns, width);
  const ys = neighbours(rows, height);
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const [top, bottom, v] = [ys.low[y] * columns, ys.high[y] * columns, ys.weight[y]];
    for (let x = 0; x < width; x++) {
      const u = xs.weight[x];
      const upper = logits[top + xs.low[x]] * (1 - u) + logits[top + xs.high[x]] * u;
      const lower = logits[bottom + xs.low[x]] * (1 - u) + logits[bottom + xs.high[x]] * u;
      if (upper * (1 - v) + lower * v > 0) mask[y * width + x] = 1;
    }
  }
  return mask;
}
