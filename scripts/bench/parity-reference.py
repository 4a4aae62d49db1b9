"""Trains the reference on the batches of a run of ours, from the run's first weights, and writes what came of it.

    python parity-reference.py FOLDER none|bf16

FOLDER holds start.safetensors and what parity-batches.ts wrote; losses.json, raw.safetensors and ema.safetensors are added. The loop is put together from the reference's parts, as its trainer does: one step a
batch, clipping at 0.1, AdamW with its groups of parameters, its schedule and its moving average. With bf16 its network runs under torch.autocast, and losses are in float32 as ours are. Needs `rfdetr[train]` 1.11.2.
"""

import json
import logging
import sys
import types
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import rfdetr.config as config
import rfdetr.models.backbone.dinov2 as dinov2
import torch
from reference_outputs import in_float32
from rfdetr.models import MODEL_DEFAULTS
from rfdetr.training.callbacks.ema import RFDETREMACallback
from rfdetr.training.module_model import RFDETRModelModule, _build_managed_scheduler
from rfdetr.utilities.tensors import NestedTensor
from safetensors.torch import load_file, save_file

folder, amp = Path(sys.argv[1]), sys.argv[2]
given = json.loads((folder / "settings.json").read_text())
encoder = given.get("encoder")
if encoder:  # one of another size, under the name of the small one
    shipped = dinov2.get_config
    dinov2.get_config = lambda kind, registers: {**shipped(kind, registers), **encoder}
    dinov2.size_to_width["small"] = encoder["hidden_size"]
dinov2.WindowedDinov2WithRegistersBackbone.from_pretrained = classmethod(lambda cls, _, config: cls(config))
object.__setattr__(MODEL_DEFAULTS, "dim_feedforward", given["dim_feedforward"])

model_config = config.RFDETRNanoConfig(device="cpu", pretrain_weights=None, **given["model"])
plain = dict(dataset_dir="/nonexistent", output_dir="/tmp/unused", multi_scale=False, amp_dtype=None, accelerator="cpu", epochs=1, num_workers=0, tensorboard=False)
train_config = config.TrainConfig(**{**plain, **given["train"]})
module = RFDETRModelModule(model_config, train_config)
start = load_file(str(folder / "start.safetensors"))
missing, unexpected = module.model.load_state_dict(start, strict=False)
unexpected = [name for name in unexpected if not name.startswith("_")]
if missing or unexpected:
    sys.exit(f"the weights do not fit: missing {missing[:5]}, not known {unexpected[:5]}")

steps = given["steps"]
module._trainer = types.SimpleNamespace(estimated_stepping_batches=steps, precision="32-true", callbacks=[], global_step=0, is_global_zero=True)
optimizer = module.configure_optimizers()["optimizer"]
for group in optimizer.param_groups:  # without the scheduler that was made along with it
    group["lr"] = group.pop("initial_lr", group["lr"])
scheduler = _build_managed_scheduler(optimizer, train_config, steps, given["steps_per_epoch"], int(given["steps_per_epoch"] * train_config.warmup_epochs))
average = RFDETREMACallback(decay=train_config.ema_decay, tau=train_config.ema_tau, update_interval_steps=train_config.ema_update_interval)
average.on_fit_start(module._trainer, module)
model, criterion = module.model.train(), module.criterion.train()
parameters = [p for group in optimizer.param_groups for p in group["params"]]

losses = []
with open(folder / "batches.f32", "rb") as images, open(folder / "batches.jsonl") as lines:
    for step, line in zip(range(1, steps + 1), lines):
        batch = json.loads(line)
        shape = batch["shape"]
        pixels = np.fromfile(images, np.float32, int(np.prod(shape))).reshape(shape)
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        targets = [dict(boxes=torch.tensor(t["boxes"]).reshape(-1, 4), labels=torch.tensor(t["labels"], dtype=torch.int64)) for t in batch["targets"]]
        with torch.autocast("cpu", torch.bfloat16, enabled=amp == "bf16"):
            outputs = model(NestedTensor(x, torch.zeros(shape[:3], dtype=torch.bool)), targets)
        terms = criterion(in_float32(outputs), targets)
        loss = sum(terms[k] * w for k, w in criterion.weight_dict.items() if k in terms)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, train_config.clip_max_norm)
        optimizer.step()
        scheduler.step()
        module._trainer.global_step = step
        average._update_ema_for_step(module, step)
        losses.append(loss.item())
(folder / "losses.json").write_text(json.dumps(losses))
save_file({k: v.contiguous().clone() for k, v in module.model.state_dict().items()}, str(folder / "raw.safetensors"))
save_file({k: v.contiguous().clone() for k, v in average.get_ema_model_state_dict().items()}, str(folder / "ema.safetensors"))
