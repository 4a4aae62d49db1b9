"""Makes tests/fixtures/ap/cases.json by running pycocotools on random annotations and detections.

    python scripts/make-ap-fixtures.py [--cases 40] [--seed 0] [--out tests/fixtures/ap/cases.json]

Every case mixes what is easily got wrong: crowds, areas that are not the boxes', sizes on the limits, tied scores,
images without annotations or detections, classes without either, gapped and unordered ids, low limits on detections.
"""

import argparse
import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def number(x):
    return round(float(x), 2)


def make_case(seed, zero_ids):
    r = np.random.default_rng(seed)
    images = r.permutation(r.choice(200, size=r.integers(1, 9), replace=False))
    categories = r.permutation(r.choice(90, size=r.integers(1, 5), replace=False))
    spread = r.choice([60, 150, 400])  # few pixels: many overlaps
    steps = r.choice([5, 20, 1000])  # few distinct scores: many ties
    snap = r.random() < 0.4  # whole pixels: equal IoUs, areas exactly on a limit
    annotations, detections = [], []

    def box():
        w, h = r.choice([[32, 32], [96, 96], [16, 64]]) if r.random() < 0.15 else r.uniform(4, spread * 0.6, 2)
        b = [*r.uniform(0, spread, 2), w, h]
        return [float(round(v)) for v in b] if snap else [number(v) for v in b]

    for image in images:
        for category in categories:
            if r.random() < 0.25:
                continue
            truths = [box() for _ in range(r.integers(0, 6))]
            for b in truths:
                area = b[2] * b[3] if r.random() < 0.7 else b[2] * b[3] * r.uniform(0.3, 1)
                annotations.append(
                    dict(image_id=int(image), category_id=int(category), bbox=b, area=number(area), iscrowd=int(r.random() < 0.15))
                )
            for _ in range(0 if r.random() < 0.15 else r.integers(0, 9)):
                b = box()
                if truths and r.random() < 0.75:
                    near = np.array(truths[r.integers(len(truths))])
                    near = near + r.normal(size=4) * near[[2, 3, 2, 3]] * r.choice([0, 0.03, 0.1])
                    b = [number(v) for v in [*near[:2], *np.maximum(near[2:], 1)]]
                score = round(r.integers(0, steps + 1) / steps, 3)
                detections.append(dict(image_id=int(image), category_id=int(category), bbox=b, score=score))
    order = r.permutation(len(annotations))
    annotations = [annotations[i] for i in order]
    detections = [detections[i] for i in r.permutation(len(detections))]
    ids = r.choice(1000, size=len(annotations), replace=False) + 1
    for i, a in enumerate(annotations):
        a["id"] = i if zero_ids else int(ids[i])
    max_dets = [[1, 10, 100], [1, 10, 500], [1, 2, 3]][r.integers(3)]
    return dict(
        images=[int(i) for i in images],
        categories=[int(c) for c in categories],
        maxDets=max_dets,
        annotations=annotations,
        detections=detections,
    )


def expected(case):
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id=i) for i in case["images"]],
        categories=[dict(id=c, name=str(c)) for c in case["categories"]],
        annotations=[dict(a) for a in case["annotations"]],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        if case["detections"]:
            results = truth.loadRes([dict(d) for d in case["detections"]])
        else:
            results = COCO()
            results.dataset = dict(truth.dataset, annotations=[])
            results.createIndex()
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.params.maxDets = case["maxDets"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]  # [T,R,K,A,M], [T,K,A,M]

    def mean(x):
        x = x[x > -1]
        return float(np.mean(x)) if len(x) else -1.0

    metrics = {"AP50:95": mean(precision[:, :, :, 0, -1]), "AP50": mean(precision[0, :, :, 0, -1]), "AP75": mean(precision[5, :, :, 0, -1])}
    metrics |= {f"AP{s}": mean(precision[:, :, :, i + 1, -1]) for i, s in enumerate("sml")}
    metrics |= {"AR": mean(recall[:, :, 0, -1])}
    metrics |= {f"AR{n}": mean(recall[:, :, 0, i]) for i, n in enumerate(case["maxDets"])}
    metrics |= {f"AR{s}": mean(recall[:, :, i + 1, -1]) for i, s in enumerate("sml")}
    classes = range(len(case["categories"]))
    per_class = [[mean(precision[:, :, k, 0, -1]), mean(precision[0, :, k, 0, -1]), mean(recall[:, k, 0, -1])] for k in classes]
    scores = evaluation.eval["scores"][:, :, :, 0, -1]
    checks = dict(precision=float(precision[:, :, :, 0, -1].sum()), scores=float(scores.sum()))
    return dict(metrics=metrics, perClass=per_class, curveSums=checks)


def compact(case):
    """Rows of numbers instead of objects."""
    return dict(
        case,
        annotations=[[a["id"], a["image_id"], a["category_id"], *a["bbox"], a["area"], a["iscrowd"]] for a in case["annotations"]],
        detections=[[d["image_id"], d["category_id"], *d["bbox"], d["score"]] for d in case["detections"]],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "ap" / "cases.json")
    options = parser.parse_args()
    cases = []
    for i in range(options.cases):
        case = make_case(options.seed * 100_000 + i, zero_ids=i % 8 == 5)
        cases.append(dict(compact(case), expected=expected(case)))
    path = pathlib.Path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    print(f"{len(cases)} cases, {path.stat().st_size} bytes, {path}")
