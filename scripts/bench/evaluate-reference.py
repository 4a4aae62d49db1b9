"""Times evaluations of the validation split by the reference for evaluate.mjs: one line of JSON an evaluation on standard output.

A line on standard input asks for one: `validate` of the trainer that `RFDETR.evaluate` builds, data module and metrics included. Needs `rfdetr[train]` 1.11.2.
"""

import json
import logging
import multiprocessing
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import torch
from rfdetr.config import RFDETRNanoConfig, TrainConfig
from rfdetr.training import RFDETRDataModule, RFDETRModelModule, build_trainer

answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # it prints tables
data, weights, batch, workers = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5])
state = torch.load(weights, map_location="cpu", weights_only=False)["model"]
classes = state["class_embed.bias"].shape[0] - 1
model_config = RFDETRNanoConfig(device="cpu", pretrain_weights=None, num_classes=classes)
config = TrainConfig(dataset_dir=data, output_dir="/tmp/unused", multi_scale=False, amp_dtype=None, accelerator="cpu", batch_size=batch, epochs=1,
                     num_workers=workers, tensorboard=False)
module = RFDETRModelModule(model_config, config)
module.model.load_state_dict(state)
datamodule = RFDETRDataModule(model_config, config)
trainer = build_trainer(config, model_config, include_training_callbacks=False, accelerator="cpu")
TICK = 1000 / os.sysconf("SC_CLK_TCK")


def processor():
    """Milliseconds that this process and its workers have computed, those that have ended included."""
    ended = os.times()
    total = (ended.children_user + ended.children_system) * 1000
    for pid in [os.getpid(), *(child.pid for child in multiprocessing.active_children())]:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * TICK
    return total


def peak():
    """Peak memory in bytes, of this process without its workers."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


for line in sys.stdin:
    used, started = processor(), time.perf_counter()
    [metrics] = trainer.validate(module, datamodule, verbose=False)
    milliseconds = (time.perf_counter() - started) * 1000
    images = len(datamodule.val_dataloader().dataset)
    answer = dict(images=images, milliseconds=milliseconds, processor=processor() - used, peak=peak(), metrics={k: float(v) for k, v in metrics.items()})
    print(json.dumps(answer), file=answers, flush=True)
