"""Fixtures of the evaluation forward, of the list of weights, and of the optimizer's groups."""

import gzip
import json

import numpy as np
import torch
from safetensors.numpy import save_file

from parity import generated
from parity.reference import ARCHITECTURES, VARIANTS, Selections, build, host, nested, stand_in_trainer

# Seeds are such that no two-stage ranking is nearly tied (`--search CASE` finds others).
CASES = {
    "tiny-native": dict(architecture="tiny", seed=9, size=(128, 128), batch=2, detail=True),
    "tiny-larger": dict(architecture="tiny", seed=9, size=(160, 160), batch=1),
    "tiny-smaller": dict(architecture="tiny", seed=9, size=(96, 96), batch=2),
    "tiny-wide": dict(architecture="tiny", seed=9, size=(128, 192), batch=1),
    "tiny-padded": dict(architecture="tiny", seed=9, size=(128, 160), batch=2, sizes=[(128, 128), (90, 160)]),
    "tiny-few-tokens": dict(architecture="tiny", seed=9, size=(64, 64), batch=1),
    "nano": dict(architecture="nano", seed=1, size=(128, 128), batch=1),
    "nano-native": dict(architecture="nano", seed=6, size=(384, 384), batch=1, model=dict(num_classes=3)),
    "small": dict(architecture="small", seed=7, size=(96, 128), batch=1),
    "medium": dict(architecture="medium", seed=11, size=(128, 96), batch=1),
    "large": dict(architecture="large", seed=4, size=(128, 128), batch=1),
    "base": dict(architecture="base", seed=8, size=(112, 112), batch=1),
    "large-deprecated": dict(architecture="large-deprecated", seed=2, size=(112, 112), batch=1),
}


def forward(model, case, seed, dtype):
    """Outputs by name, the selection, and the smallest gap in its ranking."""
    seen = {}
    backbone, decoder = model.backbone[0], model.transformer.decoder
    hooks = [
        backbone.encoder.register_forward_hook(lambda m, i, o: seen.update({f"encoder.{k}": v for k, v in enumerate(o)})),
        backbone.projector.register_forward_hook(lambda m, i, o: seen.update({f"projector.{k}": v for k, v in enumerate(o)})),
        decoder.ref_point_head.register_forward_hook(lambda m, i, o: seen.update(query_position=o)),
        decoder.register_forward_hook(lambda m, i, o: seen.update(decoder=o[0], references=o[1])),
    ]
    with torch.no_grad(), Selections() as selections:
        out = model(nested(case, "images", seed, dtype))
    for hook in hooks:
        hook.remove()
    result = dict(pred_logits=out["pred_logits"], pred_boxes=out["pred_boxes"],
                  enc_logits=out["enc_outputs"]["pred_logits"], enc_boxes=out["enc_outputs"]["pred_boxes"])
    for k, aux in enumerate(out["aux_outputs"]):
        if case.get("detail"):
            result |= {f"aux.{k}.logits": aux["pred_logits"], f"aux.{k}.boxes": aux["pred_boxes"]}
    if case.get("detail"):
        result |= seen
    return host(result), selections.indices[0].numpy().astype(np.int32), selections.gap


def run(case, seed):
    module = build(case["architecture"], seed, case.get("model"))
    outputs, chosen, gap = forward(module.model.eval(), case, seed, torch.float32)
    exact, chosen64, _ = forward(module.model.double().eval(), case, seed, torch.float64)
    floor = {k: float(np.abs(outputs[k] - exact[k]).max()) for k in outputs}
    return outputs, chosen, gap, floor, bool((chosen == chosen64).all())


def make_eval(folder, names=None):
    for name in names or CASES:
        case = CASES[name]
        seed = case["seed"]
        outputs, chosen, gap, floor, agree = run(case, seed)
        about = dict(architecture=case["architecture"], changed=case.get("model", {}), seed=seed, size=case["size"], batch=case["batch"],
                     sizes=case.get("sizes"), rankingGap=gap, floor=floor,
                     imageChecksum=generated.checksum(generated.images("images", seed, case["batch"], *case["size"], case.get("sizes"))))
        print(f"{name}: seed {seed}, gap {gap:.1e}, float32 to float64 {floor['pred_logits']:.1e} {floor['pred_boxes']:.1e}, same selection {agree}", flush=True)
        if not agree or gap < 5 * floor["enc_logits"]:
            print("  WARNING: nearly tied; search another seed")
        path = folder / "eval" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({**{k: np.ascontiguousarray(v, np.float32) for k, v in outputs.items()}, "selected": chosen}, path, metadata={"about": json.dumps(about)})


def search_eval(name, seeds):
    for seed in range(seeds):
        outputs, _, gap, floor, agree = run(CASES[name], seed)
        wh = outputs["pred_boxes"][..., 2:]
        print(f"{name}: seed {seed}, gap {gap:.1e}, floor {floor['enc_logits']:.1e}, ratio {gap / floor['enc_logits']:.1f}, agree {agree}, logits {outputs['pred_logits'].std():.2f}, boxes {wh.min():.2f} {wh.max():.2f}", flush=True)


def write_gzip(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(value, separators=(",", ":")).encode(), 9, mtime=0))


def make_keys(folder):
    """Every variant's weights: names in order with shapes, the number of parameters, checksums of two generated ones; and the groups."""
    keys, groups = {}, {}
    for name in ARCHITECTURES:
        module = build(name)
        state = module.model.state_dict()
        weights = {k: list(v.shape) for k, v in state.items()}
        two = [k for k in weights if k.endswith(("enc_out_bbox_embed.1.layers.2.bias", "projector.stages.0.0.cv2.conv.weight"))]
        keys[name] = dict(parameters=sum(p.numel() for p in module.model.parameters()), weights=weights,
                          checksums={k: generated.checksum(generated.weight(k, tuple(weights[k]), 3)) for k in two})
        module._trainer = stand_in_trainer(5)
        optimizer = module.configure_optimizers()["optimizer"]
        of = {id(p): n for n, p in module.model.named_parameters()}
        groups[name] = [dict(lr=g["lr"], weightDecay=g["weight_decay"], names=[of[id(p)] for p in g["params"]]) for g in optimizer.param_groups]
        print(name, len(weights), keys[name]["parameters"], len(groups[name]), "groups", flush=True)
    write_gzip(folder / "keys.json.gz", keys)
    write_gzip(folder / "groups.json.gz", groups)
