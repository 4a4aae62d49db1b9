"""Times training steps of the reference for bench-step.mjs: one line of JSON a step on standard output.

A line on standard input asks for one step; the answer is its milliseconds and the peak memory so far. Needs `rfdetr[train]` 1.11.2.
"""

import json
import logging
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import torch
from reference_outputs import in_float32
from rfdetr.config import RFDETRNanoConfig, RFDETRSegNanoConfig, SegmentationTrainConfig, TrainConfig
from rfdetr.training.callbacks.ema import RFDETREMACallback
from rfdetr.training.module_model import RFDETRModelModule
from rfdetr.utilities.tensors import nested_tensor_from_tensor_list
from types import SimpleNamespace

batch, resolution, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split("-")
bf16 = "bf16" in how
kind, settings = (RFDETRSegNanoConfig, SegmentationTrainConfig) if sys.argv[4:] == ["seg-nano"] else (RFDETRNanoConfig, TrainConfig)
torch.manual_seed(0)
config = kind(device="cpu", pretrain_weights=None, resolution=resolution, freeze_encoder="frozen" in how)
module = RFDETRModelModule(config, settings(dataset_dir="/nonexistent", output_dir="/tmp/unused", multi_scale=False, amp_dtype=None,
                                            accelerator="cpu", batch_size=batch, epochs=1, num_workers=0, tensorboard=False))
module._trainer = SimpleNamespace(estimated_stepping_batches=1000, precision="32-true", callbacks=[], global_step=0, is_global_zero=True)
if "heads" in how:
    for name, parameter in module.model.named_parameters():
        parameter.requires_grad = any(part in name for part in ("class_embed", "bbox_embed"))
configured = module.configure_optimizers()
optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
average = RFDETREMACallback()
average.on_fit_start(module._trainer, module)
model, criterion = module.model.train(), module.criterion.train()
parameters = [p for group in optimizer.param_groups for p in group["params"]]
images = [torch.randn(3, resolution, resolution) for _ in range(batch)]
targets = [dict(boxes=torch.tensor([[0.2 + 0.05 * i, 0.5, 0.1, 0.2] for i in range(10)]), labels=torch.arange(10)) for _ in range(batch)]
if config.segmentation_head:  # of each box the upper left quarter
    masks = torch.zeros(10, resolution, resolution, dtype=torch.bool)
    for i in range(10):
        masks[i, round(0.4 * resolution):round(0.5 * resolution), round((0.15 + 0.05 * i) * resolution):round((0.2 + 0.05 * i) * resolution)] = True
    targets = [{**target, "masks": masks} for target in targets]

for step, _ in enumerate(sys.stdin, 1):
    started, busy = time.perf_counter(), time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        outputs = model(nested_tensor_from_tensor_list(images), targets)
    losses = criterion(in_float32(outputs), targets)
    total = sum(losses[k] * w for k, w in criterion.weight_dict.items() if k in losses)
    optimizer.zero_grad()
    total.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 0.1)
    optimizer.step()
    scheduler.step()
    average._update_ema_for_step(module, step)
    loss = total.item()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(milliseconds=(time.perf_counter() - started) * 1000, processor=(time.process_time() - busy) * 1000, peak=peak, loss=loss)), flush=True)
