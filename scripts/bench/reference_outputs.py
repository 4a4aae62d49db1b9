"""What the reference's network gives under torch.autocast, for its losses, which ours has in float32."""

import torch


def in_float32(outputs):
    if isinstance(outputs, torch.Tensor):
        return outputs.float() if outputs.is_floating_point() else outputs
    if isinstance(outputs, dict):
        return {key: in_float32(value) for key, value in outputs.items()}
    return [in_float32(value) for value in outputs] if isinstance(outputs, (list, tuple)) else outputs
