"""Builds the models of rfdetr 1.11.2 with generated weights, and runs them."""

import logging
import os
import types
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import rfdetr.config as config
import rfdetr.models.backbone.dinov2 as dinov2
import torch
from rfdetr.training.module_model import RFDETRModelModule
from rfdetr.utilities.tensors import NestedTensor

from parity import generated

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# Architectures: class of the configuration, its changed fields, and the encoder's size where it is not as shipped.
TINY = dict(
    hidden_dim=64, sa_nheads=4, ca_nheads=8, dec_n_points=2, dec_layers=2, num_queries=20, num_select=20, group_detr=3,
    resolution=128, patch_size=16, num_windows=2, positional_encoding_size=8, out_feature_indexes=[1, 3, 5, 6], num_classes=4,
)
TINY_ENCODER = dict(hidden_size=96, num_attention_heads=3, num_hidden_layers=6, mlp_ratio=4)
ARCHITECTURES = {
    "nano": ("RFDETRNanoConfig", {}, None),
    "small": ("RFDETRSmallConfig", {}, None),
    "medium": ("RFDETRMediumConfig", {}, None),
    "large": ("RFDETRLargeConfig", {}, None),
    "base": ("RFDETRBaseConfig", {}, None),
    "large-deprecated": ("RFDETRLargeDeprecatedConfig", {}, None),
    "tiny": ("RFDETRNanoConfig", TINY, TINY_ENCODER),
}
VARIANTS = [name for name in ARCHITECTURES if name != "tiny"]

_shipped_encoder = dinov2.get_config
_shipped_width = dict(dinov2.size_to_width)
# Where an encoder has DINOv2's own sizes, the reference would download its weights; all are replaced here anyway.
dinov2.WindowedDinov2WithRegistersBackbone.from_pretrained = classmethod(lambda cls, _, config: cls(config))


def encoder_of(size):
    """Make the reference build an encoder of this size under the name of the small one; None: as shipped."""
    dinov2.size_to_width.update(_shipped_width)
    dinov2.get_config = _shipped_encoder
    if size:
        dinov2.get_config = lambda kind, registers: {**_shipped_encoder(kind, registers), **size}
        dinov2.size_to_width["small"] = size["hidden_size"]


def build(name, seed=None, model=None, train=None, dtype=torch.float32):
    """The reference's training module for an architecture; with a seed, its weights are the generated ones."""
    kind, fields, encoder = ARCHITECTURES[name]
    encoder_of(encoder)
    model_config = getattr(config, kind)(device="cpu", pretrain_weights=None, **{**fields, **(model or {})})
    plain = dict(dataset_dir="/nonexistent", output_dir="/tmp/unused", multi_scale=False, amp_dtype=None, accelerator="cpu",
                 batch_size=2, epochs=1, num_workers=0, tensorboard=False)
    module = RFDETRModelModule(model_config, config.TrainConfig(**{**plain, **(train or {})}))
    if seed is not None:
        with torch.no_grad():
            for key, value in module.model.state_dict().items():
                if value.numel():
                    value.copy_(torch.from_numpy(generated.weight(key, tuple(value.shape), seed)))
    return module.to(dtype)


def nested(case, name, seed, dtype=torch.float32):
    """Generated images of a case with their padding mask, as the reference's models take them."""
    height, width = case["size"]
    sizes = case.get("sizes")
    x = torch.from_numpy(generated.images(name, seed, case["batch"], height, width, sizes)).to(dtype)
    mask = torch.zeros(case["batch"], height, width, dtype=torch.bool)
    for i, (h, w) in enumerate(sizes or []):
        mask[i, h:, :] = True
        mask[i, :, w:] = True
    return NestedTensor(x, mask)


class Selections:
    """Records the two-stage selections: indices, and the smallest gap between neighbours in the ranking."""

    def __enter__(self):
        self.indices, self.gap, self.original = [], float("inf"), torch.topk

        def topk(x, k, dim=-1, *rest, **named):
            result = self.original(x, k, dim, *rest, **named)
            ranked = x.detach().double().sort(dim=dim, descending=True).values.movedim(dim, -1)[..., : k + 1]
            if ranked.shape[-1] > 1:
                self.gap = min(self.gap, float((ranked[..., :-1] - ranked[..., 1:]).min()))
            self.indices.append(result[1].detach().clone())
            return result

        torch.topk = topk
        return self

    def __exit__(self, *_):
        torch.topk = self.original


def host(tensors):
    """Detached numpy arrays of tensors by name."""
    return {k: (v.detach().numpy() if isinstance(v, torch.Tensor) else np.asarray(v)) for k, v in tensors.items()}


def stand_in_trainer(steps):
    return types.SimpleNamespace(estimated_stepping_batches=steps, precision="32-true", callbacks=[], global_step=0, is_global_zero=True)
