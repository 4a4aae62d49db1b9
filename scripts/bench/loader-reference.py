"""Times epochs of the reference's own data module for loader.mjs: one line of JSON an epoch on standard output.

A line on standard input asks for one epoch; the answer is its images, milliseconds, and milliseconds of processor, those of its workers included.
The line `pixels PATH` writes the images of the validation split, float32 [images, 3, height, width], to a file. Needs `rfdetr[train]` 1.11.2.
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
from rfdetr.training.module_data import RFDETRDataModule

answers, sys.stdout = sys.stdout, sys.stderr  # what reads the annotations says so
data, batch, workers, resolution = sys.argv[1], *map(int, sys.argv[2:5])
torch.manual_seed(0)
module = RFDETRDataModule(
    RFDETRNanoConfig(device="cpu", pretrain_weights=None, resolution=resolution),
    TrainConfig(dataset_dir=data, output_dir="/tmp/unused", multi_scale=False, accelerator="cpu", batch_size=batch, epochs=1, num_workers=workers,
                tensorboard=False))
module.setup("fit")
loader = module.train_dataloader()
TICK = 1000 / os.sysconf("SC_CLK_TCK")


def processor():
    """Milliseconds that this process and its workers have computed."""
    total = 0
    for pid in [os.getpid(), *(child.pid for child in multiprocessing.active_children())]:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * TICK
    return total


for line in sys.stdin:
    if line.startswith("pixels "):
        with open(line.split(" ", 1)[1].strip(), "wb") as file:
            for samples, _ in module.val_dataloader():
                file.write(samples.tensors.numpy().tobytes())
        print(json.dumps({}), file=answers, flush=True)
        continue
    used, started, images = processor(), time.perf_counter(), 0
    for samples, _ in loader:
        images += len(samples.tensors)
    milliseconds = (time.perf_counter() - started) * 1000
    print(json.dumps(dict(images=images, milliseconds=milliseconds, processor=processor() - used)), file=answers, flush=True)
