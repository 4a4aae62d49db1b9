"""The reference's own ONNX export of weights, for bench-onnx.mjs. Needs `rfdetr` 1.11.2 with its onnx extra.

Usage: python bench-onnx-reference.py WEIGHTS.pth FOLDER; prints the path of the file that it wrote.
"""

import contextlib
import logging
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from rfdetr.detr import RFDETR

weights, folder = map(os.path.abspath, sys.argv[1:3])
with contextlib.redirect_stdout(sys.stderr):
    model = RFDETR.from_checkpoint(weights, device="cpu")
    started = time.perf_counter()
    model.export(output_dir=folder, verbose=False)
    seconds = time.perf_counter() - started
[path] = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".onnx")]
print(f"{seconds:.1f}")
print(path)
