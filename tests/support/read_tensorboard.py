"""Prints what TensorBoard's own reader finds in a folder of event files, as JSON."""

import hashlib
import json
import sys

from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KINDS = ("scalars", "images", "histograms", "tensors")
reader = EventAccumulator(sys.argv[1], size_guidance={kind: 0 for kind in KINDS})
reader.Reload()
tags = reader.Tags()
# What the web application reads through: all kinds as tensors.
served = plugin_event_accumulator.EventAccumulator(sys.argv[1])
served.Reload()
print(
    json.dumps(
        {
            "scalars": {tag: [[e.step, e.value] for e in reader.Scalars(tag)] for tag in tags["scalars"]},
            "images": {
                tag: [
                    [e.step, e.width, e.height, hashlib.sha256(e.encoded_image_string).hexdigest()]
                    for e in reader.Images(tag)
                ]
                for tag in tags["images"]
            },
            "histograms": {
                tag: [[e.step, vars(e.histogram_value)] for e in reader.Histograms(tag)]
                for tag in tags["histograms"]
            },
            "texts": {
                tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in reader.Tensors(tag)]
                for tag in tags["tensors"]
            },
            "served": {tag: [e.step for e in served.Tensors(tag)] for tag in served.Tags()["tensors"]},
        },
        default=list,
    )
)
