"""Makes tests/fixtures/parity by running the reference: needs `pip install "rfdetr[train]==1.11.2"`. A person runs this; tests do not.

    python scripts/make-parity-fixtures.py [keys] [eval[:CASE]] [train[:CASE]] [components]
    python scripts/make-parity-fixtures.py search:CASE:SEEDS     # seeds whose rankings are not nearly tied
"""

import pathlib
import sys

sys.dont_write_bytecode = True

sys.path.insert(0, str(pathlib.Path(__file__).parent))
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "parity"


def main(parts):
    from parity import components, evaluation, training

    for part in parts or ["keys", "eval", "components", "train"]:
        what, *rest = part.split(":")
        if what == "keys":
            evaluation.make_keys(FOLDER)
        elif what == "eval":
            evaluation.make_eval(FOLDER, rest)
        elif what == "components":
            components.make(FOLDER)
        elif what == "train":
            training.make(FOLDER, rest)
        elif what == "search" and rest[0] in evaluation.CASES:
            evaluation.search_eval(rest[0], int(rest[1]))
        elif what == "search":
            training.search(rest[0], int(rest[1]))
        else:
            sys.exit(f"unknown part {part}")


if __name__ == "__main__":
    main(sys.argv[1:])
