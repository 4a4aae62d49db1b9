"""Makes tests/fixtures/loss by running the reference's matcher and criterion. Needs `pip install "rfdetr[train]==1.11.2"`.

    python scripts/make-loss-fixtures.py

Each case is one safetensors file: logits and boxes of every output (out<i>_*, the last decoder layer last, then enc_*),
targets (target<i>_*), the reference's matches (match_<output>_<image>), losses (loss_*) and gradients (grad_*).
"""

import pathlib
import warnings

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from rfdetr.models.criterion import SetCriterion  # noqa: E402
from rfdetr.models.matcher import HungarianMatcher  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "loss"

# queries of a decoder layer and of the encoder, boxes of each image
CASES = {
    "train": dict(seed=1, groups=3, layers=3, queries=21, encoder=21, classes=5, boxes=[4, 1, 6]),
    "evaluation": dict(seed=2, groups=1, layers=2, queries=17, encoder=17, classes=3, boxes=[2, 5]),
    "one_image": dict(seed=3, groups=2, layers=2, queries=12, encoder=12, classes=91, boxes=[3]),
    "an_image_without_boxes": dict(seed=4, groups=3, layers=2, queries=15, encoder=15, classes=4, boxes=[3, 0]),
    "no_boxes": dict(seed=5, groups=3, layers=2, queries=15, encoder=15, classes=4, boxes=[0, 0]),
    "fewer_encoder_queries": dict(seed=6, groups=3, layers=2, queries=24, encoder=12, classes=4, boxes=[5, 2]),
    "more_boxes_than_queries": dict(seed=7, groups=2, layers=2, queries=8, encoder=4, classes=4, boxes=[7, 3]),
    "degenerate_boxes": dict(seed=8, groups=2, layers=2, queries=12, encoder=12, classes=4, boxes=[4, 3]),
    "unmatchable_queries": dict(seed=10, groups=2, layers=2, queries=12, encoder=12, classes=4, boxes=[4, 3]),
    "nonfinite_costs": dict(seed=9, groups=2, layers=2, queries=12, encoder=12, classes=4, boxes=[4, 3]),
}


def box_batch(g, *shape):
    centre = torch.rand(*shape, 2, generator=g) * 0.8 + 0.1
    size = torch.rand(*shape, 2, generator=g) * 0.35 + 0.03
    return torch.cat([centre, size], -1)


def make(name, seed, groups, layers, queries, encoder, classes, boxes):
    g = torch.Generator().manual_seed(seed)
    batch = len(boxes)
    targets = [
        dict(boxes=box_batch(g, n), labels=torch.randint(0, classes, (n,), generator=g)) for n in boxes
    ]
    counts = [queries] * layers + [encoder]
    logits = [torch.randn(batch, n, classes, generator=g) * 2 - 2 for n in counts]
    predicted = [box_batch(g, batch, n) for n in counts]
    for b in predicted:  # some queries lie near a target, as those of a trained model do
        for i, t in enumerate(targets):
            for j in range(len(t["boxes"])):
                k = (3 * j + i) % b.shape[1]
                b[i, k] = t["boxes"][j] + torch.randn(4, generator=g) * 0.02
    if name == "degenerate_boxes":
        predicted[0][0, 0] = targets[0]["boxes"][0]  # identical: ties in every minimum and maximum
        predicted[0][0, 1, 2:] = torch.tensor([0.0, 0.2])
        predicted[1][0, 2, 2:] = torch.tensor([-0.1, 0.2])
        targets[1]["boxes"][0, 2:] = 1e-6
        predicted[1][1, 3] = targets[1]["boxes"][0]
        predicted[2][1, 4, 2:] = 0.0
    if name == "unmatchable_queries":
        predicted[0][0, :2] = float("nan")
        predicted[2][1, 7, 3] = float("inf")
    if name == "nonfinite_costs":
        # whole queries that cannot be matched, and single entries
        predicted[0][0, :4] = float("nan")
        predicted[1][1, 2, 0] = float("inf")
        logits[1][0, 3, :] = float("inf")
        logits[2][0, :6, int(targets[0]["labels"][0])] = float("-inf")
    for x in [*logits, *predicted]:
        x.requires_grad_()

    weights = dict(loss_ce=1.0, loss_bbox=5.0, loss_giou=2.0)
    matcher = HungarianMatcher(cost_class=2, cost_bbox=5, cost_giou=2, focal_alpha=0.25)
    criterion = SetCriterion(
        classes, matcher, weights, 0.25, ["labels", "boxes", "cardinality"], group_detr=groups, ia_bce_loss=True
    )
    criterion.train(groups > 1)
    outputs = [dict(pred_logits=x, pred_boxes=b) for x, b in zip(logits, predicted)]
    losses = criterion(dict(outputs[layers - 1], aux_outputs=outputs[: layers - 1], enc_outputs=outputs[layers]), targets)
    total = sum(value * weights[key.split("_enc")[0].rstrip("_0123456789")] for key, value in losses.items() if key.startswith("loss"))
    total.backward()

    saved = dict(meta=torch.tensor([groups, layers, batch]), total=total.detach())
    for i in range(layers + 1):
        key = f"out{i}" if i < layers else "enc"
        saved[f"{key}_logits"], saved[f"{key}_boxes"] = logits[i].detach(), predicted[i].detach()
        for what, x in dict(logits=logits[i], boxes=predicted[i]).items():
            saved[f"grad_{key}_{what}"] = torch.zeros_like(x) if x.grad is None else x.grad
        for image, (q, t) in enumerate(matcher(outputs[i], targets, groups)):
            saved[f"match_{i}_{image}"] = torch.stack([q, t]).int()
    for image, t in enumerate(targets):
        saved[f"target{image}_boxes"], saved[f"target{image}_labels"] = t["boxes"], t["labels"].int()
    saved |= {f"term_{key}": value.detach().float() for key, value in losses.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in saved.items()}, FOLDER / f"{name}.safetensors")
    print(name, float(total), {k: round(float(v), 4) for k, v in losses.items() if "_" not in k[8:]})


if __name__ == "__main__":
    for name, case in CASES.items():
        make(name, **case)
