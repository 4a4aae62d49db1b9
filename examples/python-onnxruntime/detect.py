"""Objects in a picture with Python's onnxruntime: a line of JSON for each, and with a third argument a picture with boxes, and with masks
of a segmenter.

Usage: python detect.py MODEL.onnx PICTURE [OUT.png]
"""

import json
import os
import sys

import numpy as np
from PIL import Image, ImageDraw

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is loaded: else it may report to its maker
import onnxruntime  # noqa: E402


def stretch(image, height, width):
    """[rows, columns, channels] to [height, width, channels]: bilinear between pixel centres."""
    def neighbours(size, to):
        place = np.maximum((np.arange(to) + 0.5) * size / to - 0.5, 0)
        low = np.minimum(place.astype(int), size - 1)
        return low, np.minimum(low + 1, size - 1), place - low

    top, bottom, v = neighbours(image.shape[0], height)
    left, right, u = neighbours(image.shape[1], width)
    rows = image[top] * (1 - v)[:, None, None] + image[bottom] * v[:, None, None]
    return rows[:, left] * (1 - u)[None, :, None] + rows[:, right] * u[None, :, None]


def to_input(pixels, side, mean, std):
    """uint8 [height, width, 3] to float32 [1, 3, side, side]: stretched and normalised."""
    normalised = (stretch(pixels, side, side) / 255 - np.array(mean)) / np.array(std)
    return normalised.transpose(2, 0, 1)[None].astype(np.float32)


def to_mask(logits, size):
    """logits [rows, columns] of a query to bool [height, width]: enlarged to the picture, inside above 0."""
    width, height = size
    return stretch(logits[:, :, None], height, width)[:, :, 0] > 0


def to_detections(dets, labels, classes, limit, size, masks=None, threshold=0.5, thresholds={}):
    """dets [queries, 4], labels [queries, classes + 1] of one picture, and masks of a segmenter; the best detections first. Scores above
    `threshold` count, or above that of their label in `thresholds`."""
    width, height = size
    names = {one["label"]: one["name"] for one in classes}
    scores = 1 / (1 + np.exp(-labels))
    best = np.argsort(-scores, axis=None, kind="stable")[:limit]
    detections = []
    for query, label in zip(*np.unravel_index(best, scores.shape)):
        score, name = float(scores[query, label]), names.get(int(label))
        if score <= thresholds.get(str(label), threshold) or name is None:  # one slot of each query is the background
            continue
        x, y, w, h = dets[query].tolist()
        box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [width, height, width, height]
        mask = {} if masks is None else {"mask": to_mask(masks[query], size)}
        detections.append(dict(name=name, score=round(score, 4), box=np.clip(box, 0, [width, height, width, height]).round(2).tolist(), **mask))
    return detections


def main(model, picture, out=None):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items() if key in ("resolution", "mean", "std", "classes", "num_select", "threshold", "thresholds")}
    image = Image.open(picture).convert("RGB")
    image_input = to_input(np.asarray(image), about["resolution"], about["mean"], about["std"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"input": image_input})))
    masks = found["masks"][0] if "masks" in found else None
    detections = to_detections(found["dets"][0], found["labels"][0], about["classes"], about["num_select"], image.size, masks, about.get("threshold", 0.5), about.get("thresholds", {}))
    for detection in detections:
        pixels = {} if masks is None else {"pixels": int(detection["mask"].sum())}
        print(json.dumps({key: detection[key] for key in ("name", "score", "box")} | pixels))
    if out:
        if masks is not None:
            inside = np.any([detection["mask"] for detection in detections] or [np.zeros(image.size[::-1], bool)], axis=0)
            image.paste(Image.new("RGB", image.size, "#ff4d6d"), mask=Image.fromarray(np.uint8(110 * inside)))
        draw = ImageDraw.Draw(image)
        for detection in detections:
            draw.rectangle(detection["box"], outline="#ff4d6d", width=2)
            draw.text((detection["box"][0] + 4, detection["box"][1] + 3), f"{detection['name']} {detection['score']:.2f}", fill="#ff4d6d")
        image.save(out)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("Usage: python detect.py MODEL.onnx PICTURE [OUT.png]")
    main(*sys.argv[1:])
