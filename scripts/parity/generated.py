"""Weights and images that Python and TypeScript make alike, to the bit, from a name and a seed.

The twin of this file is tests/parity/generatedWeights.ts; change both or neither.
"""

import re

import numpy as np

GOLDEN = np.uint32(0x9E3779B9)
SQRT3 = 1.7320508075688772
CHUNK = 1 << 22

# First match wins. Spread is either a standard deviation ("std") or a gain over the square root of the inputs
# ("gain"), where the inputs are the elements of one row. A mean with several values repeats along the tensor.
RULES = [
    (r"position_embeddings$", "std", 0.3, [0.0]),
    (r"cls_token$|mask_token$", "std", 0.5, [0.0]),
    (r"lambda1$", "std", 0.17, [0.5]),
    (r"sampling_offsets\.weight$", "gain", 0.5, [0.0]),
    (r"sampling_offsets\.bias$", "std", 1.0, [0.0]),
    (r"attention_weights\.weight$", "gain", 1.0, [0.0]),
    (r"attention_weights\.bias$", "std", 0.1, [0.0]),
    (r"class_embed.*weight$", "gain", 1.2, [0.0]),
    (r"class_embed.*bias$", "std", 0.3, [-2.0]),
    (r"bbox_embed.*layers\.2\.weight$", "gain", 0.8, [0.0]),
    (r"bbox_embed.*layers\.2\.bias$", "std", 0.1, [0.0, 0.0, 0.9, 0.9]),
    (r"bbox_embed.*weight$", "gain", 1.4, [0.0]),
    (r"refpoint_embed\.weight$", "std", 0.15, [0.0]),
    (r"query_feat\.weight$", "std", 0.7, [0.0]),
    (r"patch_embeddings.*weight$", "gain", 1.0, [0.0]),
    (r"(norm\w*|bn|stages\.\d+\.1|enc_output_norm\.\d+)\.weight$", "std", 0.1, [1.0]),
    (r"encoder\.encoder\..*weight$", "gain", 1.3, [0.0]),
    (r"projector\..*weight$", "gain", 1.4, [0.0]),
    (r"bias$", "std", 0.05, [0.0]),
    (r"", "gain", 1.0, [0.0]),
]


def finalise(x):
    """The finaliser of MurmurHash3 on an array of uint32."""
    x = np.array(x, np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def start(name, seed):
    """Where the stream of this name and seed begins: FNV-1a of the name, mixed with the seed."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return int(finalise([(h + seed * 0x85EBCA6B) & 0xFFFFFFFF])[0])


def uniform(name, seed, begin, end):
    """Elements begin..end of a stream, float64 in [-1, 1)."""
    with np.errstate(over="ignore"):
        i = np.arange(begin, end, dtype=np.uint32) * GOLDEN + np.uint32(start(name, seed))
        return (finalise(i) >> np.uint32(8)).astype(np.float64) / 8388608.0 - 1.0


def weight(name, shape, seed):
    """One tensor, float32."""
    n = int(np.prod(shape))
    out = np.empty(n, np.float32)
    kind, spread, mean = next((k, s, m) for pattern, k, s, m in RULES if re.search(pattern, name))
    scale = (spread if kind == "std" else spread / np.sqrt(n / shape[0])) * SQRT3
    for begin in range(0, n, CHUNK):
        end = min(begin + CHUNK, n)
        out[begin:end] = np.resize(np.array(mean), end - begin) + scale * uniform(name, seed, begin, end)
    return out.reshape(shape)


def images(name, seed, batch, height, width, sizes=None):
    """Smooth images with some grain, float32 [batch, 3, height, width]; outside an image's own size, zero (padding)."""
    total = 0.4 * uniform(f"{name}.grain", seed, 0, batch * 3 * height * width).reshape(batch, 3, height, width)
    for cell, amplitude in ((32, 2.0), (8, 1.0)):
        rows, columns = height // cell + 2, width // cell + 2
        grid = uniform(f"{name}.{cell}", seed, 0, batch * 3 * rows * columns).reshape(batch, 3, rows, columns)
        y, x = np.arange(height) / cell, np.arange(width) / cell
        top, left = y.astype(int), x.astype(int)
        ty, tx = (y - top)[:, None], x - left
        a = grid[..., top, :]
        a = a[..., left] + (a[..., left + 1] - a[..., left]) * tx
        b = grid[..., top + 1, :]
        b = b[..., left] + (b[..., left + 1] - b[..., left]) * tx
        total = total + amplitude * (a + (b - a) * ty)
    out = total.astype(np.float32)
    for i, (h, w) in enumerate(sizes or []):
        out[i, :, h:, :] = 0
        out[i, :, :, w:] = 0
    return out


def checksum(array):
    """Sum of the bit patterns of a float32 array, each times its odd-numbered place, modulo 2^32."""
    bits = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
    with np.errstate(over="ignore"):
        return int((bits * (np.arange(bits.size, dtype=np.uint32) * np.uint32(2) + np.uint32(1))).sum(dtype=np.uint32))


SAMPLES, PROJECTIONS = 64, 8


def digest(values):
    """What is kept of a large tensor: norm, some elements, and its sums under eight random choices of signs.

    The mean square of a difference between the sums of two tensors estimates the squared norm of the tensors'
    difference, so that every element counts.
    """
    flat = np.asarray(values, np.float64).reshape(-1)
    n = flat.size
    with np.errstate(over="ignore"):
        where = np.arange(n) if n <= SAMPLES else finalise(np.arange(SAMPLES, dtype=np.uint32) * GOLDEN + np.uint32(n)) % n
        sums = np.zeros(PROJECTIONS)
        for begin in range(0, n, CHUNK):
            part = flat[begin : begin + CHUNK]
            bits = finalise(np.arange(begin, begin + part.size, dtype=np.uint32) * GOLDEN)
            for b in range(PROJECTIONS):
                sums[b] += (part * (1.0 - 2.0 * ((bits >> np.uint32(b)) & np.uint32(1)))).sum()
    return dict(samples=flat[where].astype(np.float32), norm=float(np.sqrt((flat * flat).sum())), sums=sums)
