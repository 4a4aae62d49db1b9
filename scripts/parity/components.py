"""Fixtures of single pieces, small enough to hold their inputs."""

import json

import numpy as np
import torch
from rfdetr.models.ops.modules import MSDeformAttn
from rfdetr.models.postprocess import PostProcess
from rfdetr.models.transformer import gen_encoder_output_proposals, gen_sineembed_for_position
from rfdetr.models.weights import interpolate_position_embeddings
from safetensors.numpy import save_file

from parity import generated
from parity.reference import host


def noise(name, *shape, low=-1.7, high=1.7):
    u = generated.uniform(name, 1, 0, int(np.prod(shape))).reshape(shape)
    return torch.from_numpy((low + (high - low) * (u + 1) / 2).astype(np.float32))


def position_embeddings():
    out = {}
    for source, targets in ((24, (8, 23, 25, 34)), (37, (40,)), (8, (12,))):
        table = noise(f"pe{source}", 1, source * source + 1, 3)
        out[f"from{source}"] = table
        for target in targets:
            state = {"x.embeddings.position_embeddings": table.clone()}
            interpolate_position_embeddings(state, target)
            out[f"from{source}to{target}"] = state["x.embeddings.position_embeddings"]
    return out


def deformable_attention():
    """Two levels, the maps not square, boxes partly outside the image; with and without padding."""
    levels, heads, points, dim, batch, queries = [(5, 7), (2, 3)], 3, 2, 12, 2, 11
    module = MSDeformAttn(dim, n_levels=len(levels), n_heads=heads, n_points=points)
    with torch.no_grad():
        for key, value in module.state_dict().items():
            value.copy_(noise(key, *value.shape, low=-0.6, high=0.6))
    tokens = sum(h * w for h, w in levels)
    query, memory = noise("query", batch, queries, dim), noise("memory", batch, tokens, dim)
    centres, sides = noise("centres", batch, queries, 2, 2, low=-0.1, high=1.1), noise("sides", batch, queries, 2, 2, low=0.02, high=0.8)
    references = torch.cat([centres, sides], -1)
    mask = noise("mask", batch, tokens, low=0, high=1) > 0.7
    shapes, starts = torch.tensor(levels), torch.tensor([0, levels[0][0] * levels[0][1]])
    out = dict(query=query, memory=memory, references=references, mask=mask.to(torch.uint8))
    upstream = noise("upstream", batch, queries, dim)
    out["upstream"] = upstream
    for tag, padding in (("plain", None), ("masked", mask)):
        inputs = [t.clone().requires_grad_(True) for t in (query, references, memory)]
        module.zero_grad()
        result = module(*inputs, shapes, starts, padding, levels)
        (result * upstream).sum().backward()
        out |= {f"{tag}.out": result, f"{tag}.grad.query": inputs[0].grad, f"{tag}.grad.references": inputs[1].grad, f"{tag}.grad.memory": inputs[2].grad}
        out |= {f"{tag}.grad.{k}": p.grad.clone() for k, p in module.named_parameters()}
    return out | {f"weight.{k}": v for k, v in module.state_dict().items()}


def proposals():
    """A map 54 cells wide, whose border cells are too near the border; and two maps with padding."""
    out = {}
    memory = torch.ones(1, 2 * 54, 1)
    out["wide.memory"], out["wide.proposals"] = gen_encoder_output_proposals(memory, None, [(2, 54)], unsigmoid=False)
    masks = []
    for h, w in ((8, 6), (4, 3)):
        mask = torch.zeros(2, h, w, dtype=torch.bool)
        mask[1, h * 5 // 8 :, :] = True
        mask[1, :, w * 2 // 3 :] = True
        masks.append(mask.flatten(1))
    mask = torch.cat(masks, 1)
    memory = torch.ones(2, mask.shape[1], 1)
    out["padded.mask"] = mask.to(torch.uint8)
    out["padded.memory"], out["padded.proposals"] = gen_encoder_output_proposals(memory, mask, [(8, 6), (4, 3)], unsigmoid=False)
    return out


def sine():
    boxes = noise("boxes", 2, 7, 4, low=-0.2, high=1.2)
    return dict(boxes=boxes, dim32=gen_sineembed_for_position(boxes, 16), dim256=gen_sineembed_for_position(boxes, 128))


def postprocess():
    logits = noise("logits", 2, 12, 5, low=-3, high=1)
    logits[0, 3, 2] = logits[0, 7, 1]  # a tie keeps the order of queries
    boxes = torch.cat([noise("c", 2, 12, 2, low=0, high=1), noise("s", 2, 12, 2, low=0.05, high=0.9)], -1)
    sizes = torch.tensor([[480, 640], [333, 200]])
    out = dict(logits=logits, boxes=boxes, sizes=sizes.int())
    for i, found in enumerate(PostProcess(num_select=20)(dict(pred_logits=logits, pred_boxes=boxes), sizes)):
        out |= {f"{i}.{k}": (v.int() if k == "labels" else v) for k, v in found.items()}
    return out


def make(folder):
    tensors = {}
    for piece in (position_embeddings, deformable_attention, proposals, sine, postprocess):
        for key, value in host(piece()).items():
            tensors[f"{piece.__name__}.{key}"] = np.ascontiguousarray(value)
    folder.mkdir(parents=True, exist_ok=True)
    about = dict(deformableAttention=dict(levels=[[5, 7], [2, 3]], heads=3, points=2), postprocess=dict(numSelect=20))
    save_file(tensors, folder / "components.safetensors", metadata={"about": json.dumps(about)})
    print("components", sum(v.nbytes for v in tensors.values()), "bytes", flush=True)
