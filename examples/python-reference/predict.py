"""Objects in a picture with the reference itself, from weights that rfdetr-train made; first turn them into its format:

    npx rfdetr-train convert checkpoints/NAME/checkpoints/best/ema.safetensors model.pth
    python predict.py model.pth PICTURE [OUT.png]

All else that the reference can do (its own export, evaluation, further training) starts from the same object.
"""

import json
import os
import sys

from PIL import Image, ImageDraw
from rfdetr.detr import RFDETR


def main(weights, picture, out=None):
    model = RFDETR.from_checkpoint(os.path.abspath(weights), device="cpu")  # a bare name would be looked for in its cache
    image = Image.open(picture).convert("RGB")
    found = model.predict(image, threshold=0.5)
    names = model.class_names
    draw = ImageDraw.Draw(image)
    for box, score, label in zip(found.xyxy.tolist(), found.confidence.tolist(), found.class_id.tolist()):
        name = names[label]
        print(json.dumps(dict(name=name, score=round(score, 4), box=[round(value, 2) for value in box])))
        draw.rectangle(box, outline="#ff4d6d", width=2)
        draw.text((box[0] + 4, box[1] + 3), f"{name} {score:.2f}", fill="#ff4d6d")
    if out:
        image.save(out)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("Usage: python predict.py MODEL.pth PICTURE [OUT.png]")
    main(*sys.argv[1:])
