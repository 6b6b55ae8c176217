"""Writes strings of one to five digits drawn by hand, as pictures or as the strokes of a pen, and a table of them.

python examples/drawn_digits.py digits
seq2see train digits/train.tsv --dev digits/dev.tsv --set training.max_updates=700

python examples/drawn_digits.py strokes --as strokes
seq2see train strokes/train.tsv --dev strokes/dev.tsv --set training.max_updates=700
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

STROKES = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""Which of seven strokes the digits 0 to 9 have: a to f clockwise from the top, g in the middle."""
SPACING = 3
"""Pixels between the positions of a pen that are noted down."""


class Stroke(NamedTuple):
    """A straight stroke, in pixels."""

    x: int
    y: int
    to_x: int
    to_y: int


def strokes_of(text: str, rng: random.Random) -> list[Stroke]:
    """The strokes of a string of digits, none of them quite straight."""
    found = []
    for place, digit in enumerate(text):
        left, top = 16 * place + rng.randint(2, 5), rng.randint(2, 4)
        right, bottom = left + rng.randint(7, 9), top + rng.randint(14, 17)
        middle = (top + bottom) // 2
        ends = {
            **{"a": (left, top, right, top), "b": (right, top, right, middle), "c": (right, middle, right, bottom)},
            **{"d": (left, bottom, right, bottom), "e": (left, middle, left, bottom), "f": (left, top, left, middle)},
            "g": (left, middle, right, middle),
        }
        found += [Stroke(*(end + rng.randint(-1, 1) for end in ends[each])) for each in STROKES[int(digit)]]
    return found


def picture(text: str, rng: random.Random) -> Image.Image:
    """A picture of the strokes, with different widths and grays."""
    drawn = Image.new("L", (16 * len(text) + rng.randint(0, 6), rng.randint(22, 26)), rng.randint(225, 255))
    pen = ImageDraw.Draw(drawn)
    for stroke in strokes_of(text, rng):
        pen.line(stroke, fill=rng.randint(0, 70), width=rng.randint(1, 2))
    return drawn


def movements(text: str, rng: random.Random) -> list[list[int]]:
    """The movements of a pen: how many pixels to the right and down, and whether it is on the paper (1 or 0)."""
    vectors = []
    x, y = 0, 0
    for stroke in strokes_of(text, rng):
        vectors.append([stroke.x - x, stroke.y - y, 0])
        x, y = stroke.x, stroke.y
        steps = max(1, round(math.dist(stroke[:2], stroke[2:]) / SPACING))
        for step in range(1, steps + 1):
            next_x = stroke.x + round((stroke.to_x - stroke.x) * step / steps)
            next_y = stroke.y + round((stroke.to_y - stroke.y) * step / steps)
            vectors.append([next_x - x, next_y - y, 1])
            x, y = next_x, next_y
    return vectors


def write(folder: Path, number: int, name: str, kind: str, rng: random.Random) -> None:
    """Write so many pairs to NAME.tsv in the folder, and their pictures beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(number):
        text = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 5)))
        if kind == "pictures":
            source = f"{name}{index}.png"
            picture(text, rng).save(folder / source)
        else:
            source = json.dumps(movements(text, rng))
        lines.append(f"{source}\t{' '.join(text)}\n")
    (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as", dest="kind", choices=["pictures", "strokes"], default="pictures")
    parser.add_argument("--train", type=int, default=4000, help="number of pairs to train on")
    parser.add_argument("--dev", type=int, default=200, help="number of other pairs")
    options = parser.parse_args()
    rng = random.Random(1)
    for name in ("dev", "train"):
        write(options.folder, getattr(options, name), name, options.kind, rng)


if __name__ == "__main__":
    main()
