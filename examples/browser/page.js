// Loads /model.onnx into onnxruntime-web, finds objects in the picture that is chosen, and draws their boxes, and the
// masks of a segmenter. Nothing leaves
// the browser.

import * as ort from "onnxruntime-web";
import { describeModel, toDetections, toInput, toMask } from "../detector.js";

const COLOURS = ["#d6294b", "#1f7a70", "#b35c00", "#2166c4", "#8f138a", "#4d7c20", "#8a6d00", "#5b1fa6"];

const element = (id) => document.getElementById(id);
const [status, canvas, threshold] = [element("status"), element("canvas"), element("threshold")];
const say = (text) => {
  status.textContent = text;
};

/** Whether the slider was moved: until then the model's own thresholds count. */
let moved = false;

/** What the model gave for the picture on show, so that another threshold needs no other run. */
let last;

/** Threads need a page that is isolated from others, which its server has to say in two headers. */
ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 8) : 1;

try {
  const [model, picture] = ["model", "picture"].map((name) => new URLSearchParams(location.search).get(name));
  const file = new Uint8Array(await (await get(model ?? "/model.onnx")).arrayBuffer());
  const about = describeModel(file);
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  say(`Ready: ${about.classes.length} classes, ${about.side} pixels a side. Choose a picture.`);

  element("file").addEventListener(
    "change",
    ({ target }) => target.files[0] && run(session, about, target.files[0]).catch(fail),
  );
  threshold.value = about.threshold;
  element("shown").textContent = about.threshold.toFixed(2);
  threshold.addEventListener("input", () => {
    moved = true;
    element("shown").textContent = Number(threshold.value).toFixed(2);
    if (last) show(last);
  });
  if (picture) await run(session, about, await (await get(picture)).blob());
} catch (cause) {
  fail(cause);
}

function fail(cause) {
  say(`That did not work: ${cause.message}`);
  document.body.dataset.state = "failed";
}

async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
  return answer;
}

/** Find objects in an image file. */
async function run(session, about, file) {
  say("Looking …");
  // Pixels as they are in the file: not turned, no colour profile, as in training.
  const bitmap = await createImageBitmap(file, { imageOrientation: "none", colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const begin = performance.now();
  const input = new ort.Tensor("float32", toInput({ data, width, height }, about), [1, 3, about.side, about.side]);
  const { dets, labels, masks } = await session.run({ input });
  const milliseconds = performance.now() - begin;
  last = { bitmap, about, dets: dets.data, labels: labels.data, masks, milliseconds };
  show(last);
}

/** Draw the picture and what was found in it, and list it. */
function show({ bitmap, about, dets, labels, masks, milliseconds }) {
  const { width, height } = bitmap;
  const detections = toDetections(dets, labels, about, {
    ...{ width, height },
    ...(moved && { threshold: Number(threshold.value) }),
  });
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const names = about.classes.map(({ name }) => name);
  const colourOf = (name) => COLOURS[names.indexOf(name) % COLOURS.length];
  if (masks)
    for (const { query, name } of detections.toReversed())
      fill(context, toMask(masks, query, { width, height }), colourOf(name));
  const size = Math.max(11, Math.round(width / 60));
  context.font = `${size}px system-ui, sans-serif`;
  context.lineWidth = Math.max(1.5, width / 400);
  context.textBaseline = "top";
  for (const { box, score, name } of detections.toReversed()) {
    const [left, top, right, bottom] = box;
    const text = `${name} ${score.toFixed(2)}`;
    context.strokeStyle = context.fillStyle = colourOf(name);
    context.strokeRect(left, top, right - left, bottom - top);
    const y = top >= size + 4 ? top - size - 4 : top;
    context.fillRect(left, y, context.measureText(text).width + 8, size + 4);
    context.fillStyle = "white";
    context.fillText(text, left + 4, y + 2);
  }
  const rows = detections.map(({ box, score, name }) => {
    const row = document.createElement("tr");
    for (const text of [name, score.toFixed(4), ...box.map((value) => value.toFixed(1))])
      row.insertCell().textContent = text;
    return row;
  });
  element("found").replaceChildren(...rows);
  element("found").closest("div").hidden = detections.length === 0;
  const threads = `${ort.env.wasm.numThreads} ${ort.env.wasm.numThreads === 1 ? "thread" : "threads"}`;
  say(
    `${detections.length} ${detections.length === 1 ? "object" : "objects"} in ${milliseconds.toFixed(0)} ms, ${threads}.`,
  );
  document.body.dataset.state = "done";
}

/** Draw the pixels of a mask over the picture, half-transparent; `colour` is #rrggbb. */
function fill(context, mask, colour) {
  const { width, height } = context.canvas;
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const layer = new OffscreenCanvas(width, height);
  const drawing = layer.getContext("2d");
  const image = drawing.createImageData(width, height);
  for (const [i, inside] of mask.entries()) if (inside) image.data.set([red, green, blue, 115], 4 * i);
  drawing.putImageData(image, 0, 0);
  context.drawImage(layer, 0, 0);
}
