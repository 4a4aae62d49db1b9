"""Makes tests/fixtures/checkpoint/: small files of torch.save and safetensors in every layout and element type, what they hold, and hostile ones.

Needs torch, numpy and safetensors. Run: python scripts/make-checkpoint-fixtures.py
"""

import argparse
import collections
import io
import json
import pathlib
import pickle
import struct
import types
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "checkpoint"
OUT.mkdir(parents=True, exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
expected: dict[str, dict] = {}
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def expect(name: str, tensors: dict, **more) -> None:
    """Note the tensors as their row-major bytes, in hexadecimal."""
    rows = []
    for key, t in tensors.items():
        t = t.detach().contiguous()
        data = bytes(t.clone().flatten().view(torch.uint8).numpy()) if t.numel() else b""
        rows.append({"name": key, "dtype": NAMES[t.dtype], "shape": list(t.shape), "hex": data.hex()})
    expected[name] = {"tensors": rows, **more}


def all_types() -> dict:
    g = torch.Generator().manual_seed(1)
    real = torch.randn(2, 3, generator=g)
    out = {str(t).split(".")[1]: real.to(t) for t in (torch.float64, torch.float32, torch.float16, torch.bfloat16)}
    for t in (torch.int64, torch.int32, torch.int16, torch.int8):
        out[str(t).split(".")[1]] = torch.tensor([[-3, 0, 7], [100, -128, 127]]).to(t)
    out["uint8"] = torch.tensor([0, 1, 255], dtype=torch.uint8)
    out["bool"] = torch.tensor([True, False, True])
    return out


def all_views() -> dict:
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    return {
        "whole": base,
        "transposed": base.permute(2, 0, 1),
        "part": base[1:, 1:3, ::2],
        "row": base[2],
        "last": base[-1, -1, -1],
        "expanded": torch.tensor([[1.5], [2.5]]).expand(2, 3),
        "scalar": torch.tensor(3.25),
        "empty": torch.zeros(0, 0, dtype=torch.bool),
        "empty_rows": torch.zeros(0, 7),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, -1.0])),
        "half_columns": torch.arange(12, dtype=torch.int16).reshape(3, 4).t(),
    }


def weights() -> collections.OrderedDict:
    g = torch.Generator().manual_seed(2)
    return collections.OrderedDict([
        ("class_embed.weight", torch.randn(4, 8, generator=g)), ("class_embed.bias", torch.randn(4, generator=g)),
        ("refpoint_embed.weight", torch.randn(6, 4, generator=g)), ("_kp_active_mask", torch.zeros(0, 0, dtype=torch.bool))])


types_, views, model = all_types(), all_views(), weights()
for name, content in (("types", types_), ("views", views)):
    torch.save(content, OUT / f"{name}.pth")
    expect(f"{name}.pth", content, kind="bare")
    torch.save(content, OUT / f"{name}-legacy.pth", _use_new_zipfile_serialization=False)
    expect(f"{name}-legacy.pth", content, kind="bare")
for protocol in (3, 4, 5):
    torch.save({"model": model, "args": {"lr": 1e-4, "big": 2**70, "text": "größe"}}, OUT / f"protocol{protocol}.pth", pickle_protocol=protocol)
    expect(f"protocol{protocol}.pth", model, kind="legacy", args={"lr": 1e-4, "big": str(2**70), "text": "größe"})

state = torch.nn.Linear(3, 2).state_dict()  # carries _metadata, which makes a BUILD of an OrderedDict
args = dict(num_queries=3, group_detr=2, class_names=["tree", "bush"], lr=1e-4, output_dir=pathlib.PurePosixPath("/runs/a"), device=torch.device("cuda:0"),
            size=torch.Size([2, 3]), dtype=torch.float16, seed=None, amp=True, best=np.float32(0.5), count=np.int64(7), tags={"x"}, raw=b"ab", nested={"a": (1, 2)})
plain = dict(num_queries=3, group_detr=2, class_names=["tree", "bush"], lr=1e-4, output_dir="/runs/a", device="cuda:0", size=[2, 3], dtype="torch.float16",
             seed=None, amp=True, best=0.5, count=7, tags=["x"], raw="bytes(2)", nested={"a": [1, 2]})
for name, space in (("namespace", argparse.Namespace), ("simple-namespace", types.SimpleNamespace)):
    content = {"model": {**state}, "ema_model": {k: v + 1 for k, v in state.items()}, "args": space(**args), "epoch": 5, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}}
    for suffix, new in (("", True), ("-legacy", False)):
        torch.save(content, OUT / f"{name}{suffix}.pth", _use_new_zipfile_serialization=new)
        expect(f"{name}{suffix}.pth", state, kind="legacy", args=plain, epoch=5)
config = dict(encoder="dinov2_windowed_small", hidden_dim=8, num_queries=3, group_detr=2, num_classes=3, patch_size=16, segmentation_head=False, projector_scale=["P4"])
best = {"model": model, "args": {"class_names": ["a", "b", "c"], "lr": 1e-4}, "model_config": config, "model_name": "RFDETRNano", "rfdetr_version": "1.11.2",
        "epoch": 2, "global_step": 14, "state_dict": {f"model.{k}": v for k, v in model.items()}, "optimizer_states": [], "loops": {"fit_loop": {}}}
torch.save(best, OUT / "best.pth")
expect("best.pth", model, kind="best-model", args=best["args"], modelConfig=config, epoch=2)
lightning = {"state_dict": collections.OrderedDict((f"model._orig_mod.{k}", v) for k, v in model.items()), "hyper_parameters": {"class_names": ["a"]},
             "epoch": 1, "global_step": 9}
lightning["state_dict"]["criterion.weight"] = torch.ones(2)
torch.save(lightning, OUT / "lightning.ckpt")
expect("lightning.ckpt", model, kind="lightning", args={"class_names": ["a"]}, epoch=1)

# The same content in zips that other programs make: another folder name, deflated, zip64 fields, data descriptors, no checksums.
buffer = io.BytesIO()
torch.save(model, buffer)
source = zipfile.ZipFile(buffer)
parts = [(n.split("/", 1)[1], source.read(n)) for n in source.namelist()]


class Unseekable(io.RawIOBase):
    """Makes zipfile write data descriptors."""

    def __init__(self, path):
        self.file = open(path, "wb")

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)

    def close(self):
        self.file.close()


def rezip(path, entries, method=zipfile.ZIP_STORED, zip64=False, folder="model folder/"):
    with zipfile.ZipFile(path, "w", method) as z:
        for n, data in entries:
            with z.open(zipfile.ZipInfo(folder + n, (1980, 1, 1, 0, 0, 0)) if method == zipfile.ZIP_STORED else folder + n, "w", force_zip64=zip64) as f:
                f.write(data)


rezip(OUT / "deflated.pth", parts, zipfile.ZIP_DEFLATED)
rezip(OUT / "zip64.pth", parts, zip64=True)
stream = Unseekable(OUT / "descriptors.pth")
rezip(stream, parts)
stream.close()
torch.serialization.set_crc32_options(False)
torch.save(model, OUT / "no-checksums.pth")
torch.serialization.set_crc32_options(True)
for n in ("deflated", "zip64", "descriptors", "no-checksums"):
    expect(f"{n}.pth", model, kind="bare")

save_file(types_, OUT / "types.safetensors", metadata={"format": "pt", "note": "größe"})
expect("types.safetensors", dict(sorted(types_.items())), kind="safetensors")

# --- hostile ---------------------------------------------------------------------------------------------------------------------------


class Call:
    def __init__(self, function, *arguments):
        self.value = (function, arguments)

    def __reduce__(self):
        return self.value


def text(s: str) -> bytes:
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def storage(kind="FloatStorage", key="0", numel=4) -> bytes:
    return b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + b"J" + struct.pack("<i", numel) + b"tQ"


def tensor(shape=(4,), strides=(1,), offset=0, **kw) -> bytes:
    number = lambda n: b"\x8a\x08" + struct.pack("<q", n)
    numbers = lambda ns: b"(" + b"".join(map(number, ns)) + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(**kw) + number(offset) + numbers(shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR"


def state_of(body: bytes) -> bytes:
    return b"\x80\x02}" + text("w") + body + b"s."


import os  # noqa: E402
import builtins  # noqa: E402

hostile = {
    "os-system": (pickle.dumps({"w": Call(os.system, "touch /tmp/owned")}, 2), "posix.system"),
    "os-system-protocol4": (pickle.dumps({"w": Call(os.system, "touch /tmp/owned")}, 4), "posix.system"),
    "eval": (pickle.dumps({"w": Call(builtins.eval, "1+1")}, 2), "eval"),
    "torch-load": (state_of(b"ctorch.storage\n_load_from_bytes\nC\x01.\x85R"), "torch.storage._load_from_bytes"),
    "getattr": (state_of(b"cbuiltins\ngetattr\n" + text("a") + text("b") + b"\x86R"), "builtins.getattr"),
    "dotted-name": (b"\x80\x04}" + text("w") + text("torch") + text("hub.load") + b"\x93)Rs.", "torch.hub.load"),
    "module-class": (state_of(b"crfdetr.models.lwdetr\nLWDETR\n)\x81"), "rfdetr.models.lwdetr.LWDETR"),
    "call-of-text": (state_of(text("os.system") + b")R"), "no function"),
    "call-of-dtype": (state_of(b"ctorch\nfloat32\n)R"), "no function"),
    "huge-long": (state_of(b"\x8b" + struct.pack("<i", 2**31 - 1)), "integer"),
    "huge-bytes": (state_of(b"B" + struct.pack("<I", 2**32 - 1)), "ends too early"),
    "huge-bytes8": (state_of(b"\x8e" + struct.pack("<Q", 2**62)), "claims a size"),
    "huge-text": (state_of(b"X" + struct.pack("<I", 2**31)), "ends too early"),
    "huge-frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}.", "claims a size"),
    "deep-args": (b"\x80\x02}(" + text("model") + b"}" + text("w") + tensor() + b"s" + text("args") + b"}" + text("a") + b"]" * 30_000 + b"a" * 29_999 + b"su.", "nested"),
    "doubling": (b"\x80\x02}(" + text("model") + b"}" + text("w") + tensor() + b"s" + text("args") + b"}" + text("a") + b"]q\x000" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) + b"0" for i in range(25)) + b"h\x19su.", "nested"),
    "long-text": (b"\x80\x02}(" + text("model") + b"}" + text("w") + tensor() + b"s" + text("args") + b"}" + text("a") + b"](" + text("x" * 30_000)
                  + b"q\x00" + b"h\x00" * 20_000 + b"esu.", "letters"),
    "cycle": (b"\x80\x02}(" + text("model") + b"}" + text("w") + tensor() + b"s" + text("args") + b"}" + text("a") + b"]q\x00h\x00asu.", "nested"),
    "memo-miss": (state_of(b"h\x07"), "did not make"),
    "pop-nothing": (b"\x80\x020000.", "did not open|takes more"),
    "no-stop": (b"\x80\x02}", "ends too early"),
    "marks": (b"\x80\x02" + b"(" * 1_000_001, "instructions"),
    "path-doubling": (b"\x80\x04" + text("x" * 300) + b"\x94" + b"".join(
        b"\x8c\x07pathlib\x8c\x04Path\x93" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86R\x94" for i in range(40)) + b".", "characters"),
    "tensor-outside": (state_of(tensor(shape=(5,))), "beyond its storage"),
    "tensor-offset": (state_of(tensor(shape=(4,), offset=1)), "beyond its storage"),
    "tensor-strides": (state_of(tensor(shape=(2, 2), strides=(4, 1))), "beyond its storage"),
    "tensor-negative": (state_of(tensor(shape=(-4,))), "not valid"),
    "tensor-negative-stride": (state_of(tensor(strides=(-1,))), "not valid"),
    "tensor-rank": (state_of(tensor(shape=(2, 2))), "strides"),
    "tensor-overflow": (state_of(tensor(shape=(2**40, 2**40), strides=(0, 0))), "beyond its storage|claim"),
    "tensor-expanded": (state_of(tensor(shape=(2**33,), strides=(0,))), "claim"),
    "storage-lies": (state_of(tensor(shape=(1000,), numel=1000)), "claims 4000 bytes"),
    "storage-missing": (state_of(tensor(key="../../etc/passwd")), "is missing"),
    "storage-complex": (state_of(tensor(kind="ComplexFloatStorage", numel=2, shape=(2,))), "ComplexFloatStorage"),
    "not-a-dict": (b"\x80\x02]" + tensor() + b"a.", "no dict"),
    "no-tensors": (b"\x80\x02}" + text("epoch") + b"K\x01s.", "no tensor"),
    "tensor-name": (b"\x80\x02}K\x01" + tensor() + b"s.", "no text"),
    "lora": (b"\x80\x02}" + text("model") + b"}" + text("backbone.0.encoder.base_model.model.x") + tensor() + b"ss.", "LoRA"),
    "protocol0": (b"(dp0\nS'w'\np1\nI1\ns.", "protocol|instruction"),
}
DATA = ("data/0", struct.pack("<4f", 1, 2, 3, 4))
for n, (body, why) in hostile.items():
    method = zipfile.ZIP_DEFLATED if len(body) > 20_000 else zipfile.ZIP_STORED
    rezip(OUT / f"hostile-{n}.pth", [("data.pkl", body), ("byteorder", b"little"), DATA], method, folder="a/")
    expected[f"hostile-{n}.pth"] = {"error": why}

good = state_of(tensor())


def zip_case(n, entries, why, method=zipfile.ZIP_STORED, folder="a/"):
    rezip(OUT / f"hostile-zip-{n}.pth", entries, method, folder=folder)
    expected[f"hostile-zip-{n}.pth"] = {"error": why}


zip_case("big-endian", [("data.pkl", good), ("byteorder", b"big"), DATA], "byte order")
zip_case("torchscript", [("data.pkl", good), ("constants.pkl", b"\x80\x02)."), DATA], "TorchScript")
zip_case("other", [("readme.txt", b"hello")], "not one of torch.save")
zip_case("two-pickles", [("a/data.pkl", good), ("b/data.pkl", good)], "not one of torch.save", folder="")
zip_case("bomb", [("data.pkl", good), ("data/0", b"\0" * (80 * 2**20))], "unpack to", zipfile.ZIP_DEFLATED)
rezip(OUT / "traversal.pth", [("a/data.pkl", good), ("a/data/0", DATA[1]), ("../../../tmp/owned", b"x"), ("/tmp/owned2", b"x")], folder="")
expect("traversal.pth", {"w": torch.tensor([1.0, 2.0, 3.0, 4.0])}, kind="bare")
whole = (OUT / "traversal.pth").read_bytes()


def patched(n, why, edit):
    data = bytearray(whole)
    edit(data, data.index(b"PK\x01\x02"))
    (OUT / f"hostile-zip-{n}.pth").write_bytes(data)
    expected[f"hostile-zip-{n}.pth"] = {"error": why}


patched("encrypted", "encrypted", lambda d, c: d.__setitem__(c + 8, d[c + 8] | 1))
patched("method", "compression method", lambda d, c: d.__setitem__(c + 10, 99))
patched("size-lies", "contradict", lambda d, c: d.__setitem__(slice(c + 24, c + 28), struct.pack("<I", 10**9)))
patched("overlap", "overlap", lambda d, c: d.__setitem__(slice(c + 20, c + 28), struct.pack("<II", 10**6, 10**6)))
patched("checksum", "checksum", lambda d, c: d.__setitem__(d.index(DATA[1]), 7))
patched("elsewhere", "where the directory says", lambda d, c: d.__setitem__(slice(c + 42, c + 46), struct.pack("<I", 5)))
patched("count", "directory", lambda d, c: d.__setitem__(slice(len(d) - 12, len(d) - 10), b"\xf0\x00"))


def safe(n, header, data=b"\0" * 16, why="", length=None):
    body = header if isinstance(header, bytes) else json.dumps(header).encode()
    (OUT / f"hostile-{n}.safetensors").write_bytes(struct.pack("<Q", len(body) if length is None else length) + body + data)
    expected[f"hostile-{n}.safetensors"] = {"error": why}


def entry(begin, end, shape=(4,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


safe("hole", {"a": entry(0, 4, (1,)), "b": entry(8, 16, (2,))}, why="hole")
safe("overlap", {"a": entry(0, 16), "b": entry(8, 16, (2,))}, why="overlaps")
safe("outside", {"a": entry(0, 16), "b": entry(16, 32)}, why="need")
safe("left-over", {"a": entry(0, 8, (2,))}, why="belong to no tensor")
safe("shape", {"a": entry(0, 16, (5,))}, why="claims shape")
safe("negative", {"a": entry(0, 16, (-2, -2))}, why="not valid")
safe("overflow", {"a": entry(0, 16, (2**31, 2**31, 2**31))}, why="claims shape")
safe("fraction", {"a": entry(0, 16, (1.5,))}, why="not valid")
safe("dtype", {"a": entry(0, 16, (16,), "F8_E4M3")}, why="F8_E4M3")
safe("dtype-prototype", {"a": entry(0, 16, (16,), "constructor")}, why="constructor")
safe("duplicate", b'{"a":%s,"\\u0061":%s}' % ((json.dumps(entry(0, 16)).encode(),) * 2), why="twice")
safe("metadata", {"__metadata__": {"a": 1}, "w": entry(0, 16)}, why="not text")
safe("deep", b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", why="deeply")
safe("json", b'{"a":}', why="valid JSON")
safe("utf8", b'{"\xff":1}', why="valid JSON")
safe("array-entry", {"a": [1]}, why="not an object")
safe("header-length", {"a": entry(0, 16)}, why="claims|ends before|neither", length=2**24 - 1)
safe("header-length-huge", {"a": entry(0, 16)}, why="claims|neither", length=2**63)
safe("header-bound", {"a": entry(0, 16)}, why="claims", length=2**24 + 1)
save_file({"__proto__": torch.ones(2), "constructor": torch.zeros(1)}, OUT / "prototype.safetensors", metadata={"__proto__": "x", "toString": "y"})
expect("prototype.safetensors", {"__proto__": torch.ones(2), "constructor": torch.zeros(1)}, kind="safetensors")

for n, body, why in (("empty", b"", "empty"), ("page", b"<!DOCTYPE html><html>404</html>", "web page"), ("xml", b"<?xml version='1.0'?><Error>AccessDenied</Error>", "web page"),
                     ("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS"), ("gzip", b"\x1f\x8b\x08\x00aaaa", "gzip"),
                     ("noise", bytes(range(200, 256)), "neither"), ("pickle", pickle.dumps({"a": 1}, 2), "not one of torch.save"), ("one-byte", b"P", "neither")):
    (OUT / f"hostile-file-{n}.pth").write_bytes(body)
    expected[f"hostile-file-{n}.pth"] = {"error": why}

(OUT / "expected.json").write_text(json.dumps(expected, indent=0, ensure_ascii=False) + "\n")
print(f"{len(expected)} files, {sum(f.stat().st_size for f in OUT.iterdir())} bytes")
