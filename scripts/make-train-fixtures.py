"""Make tests/fixtures/train/reference.json: optimizer, clipping, schedule, average and parameter groups as the reference has them.

Run by a person, with rfdetr 1.11.2 installed: python scripts/make-train-fixtures.py
"""

import json
from pathlib import Path
from types import SimpleNamespace

import torch
from rfdetr.config import RFDETRNanoConfig, TrainConfig
from rfdetr.models import build_model_from_config
from rfdetr.training.callbacks.ema import RFDETREMACallback
from rfdetr.training.module_model import _build_managed_scheduler
from rfdetr.training.param_groups import get_param_dict
from torch.optim.swa_utils import AveragedModel

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "train" / "reference.json"


def numbers(tensor):
    return [float(x) for x in tensor.flatten().tolist()]


def adamw():
    """Three weights; the last one gets its first gradient at step 2, and none at step 4."""
    torch.manual_seed(3)
    shapes = [[2, 3], [5], [3, 2]]
    options = [dict(lr=1e-2, weight_decay=0.1), dict(lr=3e-3, weight_decay=0.0), dict(lr=2e-2, weight_decay=0.05)]
    weights = [torch.nn.Parameter(torch.randn(s)) for s in shapes]
    start = [numbers(w) for w in weights]
    optimizer = torch.optim.AdamW([dict(params=[w], **o) for w, o in zip(weights, options)], lr=1e-3)
    steps = []
    for step in range(7):
        factor = [1, 0, 0.5, 1, 1, 2, 0.1][step]
        for group, option in zip(optimizer.param_groups, options):
            group["lr"] = option["lr"] * factor
        for i, w in enumerate(weights):
            w.grad = None if i == 2 and step in (0, 1, 4) else torch.randn(shapes[i]) * 10.0 ** (i - 2)
        gradients = [None if w.grad is None else numbers(w.grad) for w in weights]
        norm = float(torch.nn.utils.clip_grad_norm_(weights, 1.0))
        optimizer.step()
        steps.append(dict(factor=factor, gradients=gradients, norm=norm, weights=[numbers(w) for w in weights]))
    moments = [dict(first=numbers(s["exp_avg"]), second=numbers(s["exp_avg_sq"]), steps=int(s["step"]))
               for s in (optimizer.state[w] for w in weights)]
    return dict(shapes=shapes, options=options, start=start, maxNorm=1.0, steps=steps, moments=moments)


def schedules():
    cases = []
    for preset, warmup, kwargs, epochs, per_epoch in [
        ("cosine", 1.0, dict(min_factor=0.05), 3, 4),
        ("cosine", 0.4, dict(min_factor=0.1), 1, 5),
        ("cosine", 0.0, {}, 2, 3),
        ("step", 0.5, dict(lr_drop=2), 4, 3),
        ("step", 0.0, {}, 2, 2),
    ]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        config = SimpleNamespace(lr_scheduler=preset, lr_scheduler_kwargs=kwargs)
        total = epochs * per_epoch
        scheduler = _build_managed_scheduler(optimizer, config, total, per_epoch, int(per_epoch * warmup))
        factors = []
        for _ in range(total):
            factors.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        cases.append(dict(name=preset, warmupEpochs=warmup, minFactor=kwargs.get("min_factor", 0.0), lrDrop=kwargs.get("lr_drop", 100),
                          epochs=epochs, stepsPerEpoch=per_epoch, factors=factors))
    return cases


def ema():
    torch.manual_seed(5)
    model = torch.nn.Linear(3, 2, bias=False)
    callback = RFDETREMACallback(decay=0.9, tau=4)
    average = AveragedModel(model, multi_avg_fn=callback._multi_avg_fn, use_buffers=True)
    steps = []
    for _ in range(6):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3))
        average.update_parameters(model)
        steps.append(dict(weight=numbers(model.weight), average=numbers(average.module.weight)))
    return dict(decay=0.9, tau=4, shape=[2, 3], steps=steps)


def nano_groups():
    config = RFDETRNanoConfig(pretrain_weights=None)
    train = TrainConfig(dataset_dir=".")
    model = build_model_from_config(config, train)
    arguments = SimpleNamespace(lr=1e-4, lr_encoder=1.5e-4, lr_vit_layer_decay=0.8, lr_component_decay=0.7, weight_decay=1e-4,
                                out_feature_indexes=config.out_feature_indexes)
    names = {id(p): n for n, p in model.named_parameters()}
    return [dict(lr=g["lr"], weightDecay=g.get("weight_decay", 1e-4), references=[names[id(p)] for p in g["params"]])
            for g in get_param_dict(arguments, model)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(dict(adamw=adamw(), schedules=schedules(), ema=ema(), nanoGroups=nano_groups())))
    print(OUT, OUT.stat().st_size)
