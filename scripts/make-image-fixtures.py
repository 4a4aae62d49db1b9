"""Makes tests/fixtures/images: small images as Pillow reads and resizes them, and torch's resize at prediction time.

Run with the Python that has the reference: python scripts/make-image-fixtures.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional as F

OUT = Path(__file__).parents[1] / "tests" / "fixtures" / "images"
PHOTO = Path(__file__).parents[1] / "datasets" / "trees" / "train" / "osbs-0000-0000.jpg"
# width, height: shrinking, enlarging, one of each, by a lot, and one axis unchanged
SIZES = [(64, 48), (120, 110), (70, 90), (16, 9), (96, 40)]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    photo = Image.open(PHOTO).convert("RGB").crop((120, 60, 216, 132))  # 96 x 72
    photo.save(OUT / "photo.jpg", quality=90)
    photo = Image.open(OUT / "photo.jpg").convert("RGB")
    small = photo.crop((0, 0, 40, 30))
    arrays = {"photo.jpg": np.asarray(photo)}

    def keep(name: str, **options: object) -> None:
        small_image.save(OUT / name, **options)
        arrays[name] = np.asarray(Image.open(OUT / name).convert("RGB"))

    small_image = small.convert("CMYK")
    keep("cmyk.jpg", quality=90)
    small_image = small.convert("L")
    keep("grey.png")
    small_image = small.quantize(16)
    keep("palette.png", transparency=3)
    rgba = np.dstack([np.asarray(small), np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))])
    small_image = Image.fromarray(rgba)
    keep("alpha.png")
    small_image = small
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees", which the reference does not do
    keep("rotated.jpg", quality=90, exif=exif)

    for width, height in SIZES:
        arrays[f"pillow {width} {height}"] = np.asarray(photo.resize((width, height), Image.BILINEAR))
    manifest, blob = {}, b""
    for name, array in arrays.items():
        manifest[name] = {"offset": len(blob), "shape": list(array.shape), "type": "uint8"}
        blob += array.tobytes()
    blob += b"\0" * (-len(blob) % 4)
    tensor = F.to_tensor(photo)
    for width, height in [(21, 17), (50, 30)]:
        out = F.resize(tensor, [height, width], antialias=False)
        out = F.normalize(out, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).permute(1, 2, 0).contiguous().numpy()
        manifest[f"predict {width} {height}"] = {"offset": len(blob), "shape": list(out.shape), "type": "float32"}
        blob += out.astype("<f4").tobytes()
    up = F.resize(F.to_tensor(small.crop((0, 0, 12, 9))), [20, 31], antialias=False)
    up = F.normalize(up, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).permute(1, 2, 0).contiguous().numpy()
    manifest["predict-corner 31 20"] = {"offset": len(blob), "shape": list(up.shape), "type": "float32"}
    blob += up.astype("<f4").tobytes()
    (OUT / "expected.bin").write_bytes(blob)
    (OUT / "expected.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
