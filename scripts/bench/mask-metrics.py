"""Makes 5,000 images' masks and detections, and times pycocotools on them.

Usage: python scripts/bench/mask-metrics.py FOLDER [images]    (needs numpy and pycocotools), then
       npx tsx scripts/bench/mask-metrics.ts FOLDER
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pycocotools.mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5000
r, h, w, classes = np.random.default_rng(1), 480, 640, 80


def outline(cx, cy, size):
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = size * (1 + 0.2 * np.sin(3 * angles + r.uniform(0, 6)))
    return np.round(np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], 1), 1).flatten().tolist()


images, annotations, results = [], [], []
for image in range(1, count + 1):
    images.append({"id": image, "height": h, "width": w})
    for k in range(100):
        cx, cy, size = r.uniform(0, w), r.uniform(0, h), r.uniform(8, 90)
        category = int(r.integers(1, classes + 1)) if k > 20 else 1 + k % 7
        if k < 7:
            polygon = outline(cx, cy, size)
            x, y = polygon[::2], polygon[1::2]
            box = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": category, "segmentation": [polygon], "bbox": box, "area": size * size * 3, "iscrowd": 0})
            cx, cy = cx + r.normal(0, size / 10), cy + r.normal(0, size / 10)
        rle = coco.frPyObjects([outline(cx, cy, size)], h, w)[0]
        results.append({"image_id": image, "category_id": category, "segmentation": {"size": [h, w], "counts": rle["counts"].decode()}, "bbox": coco.toBbox(rle).tolist(), "score": round(float(r.uniform()), 4)})
categories = [{"id": c, "name": str(c)} for c in range(1, classes + 1)]
folder.mkdir(parents=True, exist_ok=True)
(folder / "gt.json").write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
(folder / "results.json").write_text(json.dumps(results))
start = time.perf_counter()
truth = COCO(folder / "gt.json")
found = truth.loadRes(str(folder / "results.json"))
read = time.perf_counter()
run = COCOeval(truth, found, "segm")
run.evaluate()
run.accumulate()
run.summarize()
print(json.dumps({"read": read - start, "segm": time.perf_counter() - read, "AP": run.stats[0], "AP50": run.stats[1], "AR": run.stats[8]}))
