"""The colors of pages and drawings. The scale of weights has one hue and is perceptually uniform.

On a light page it goes from almost white to dark blue, on a dark one from almost black to light blue.

Lightness in Oklab (Björn Ottosson 2020) falls linearly, so the scale also works for color-blind readers and in gray.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

NUM_SHADES = 101
ON_LIGHT, ON_DARK = (0.985, 0.27), (0.22, 0.94)
"""Lightness of weight 0 and of weight 1."""
HUE = np.deg2rad(257)
MOST_CHROMA = 0.15

LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def shades(start: float, end: float) -> list[str]:
    """The scale between two lightnesses as `#rrggbb`, from weight 0 to 1."""
    share = np.linspace(0, 1, NUM_SHADES)
    lightness = start + (end - start) * share
    chroma = MOST_CHROMA * np.sin(np.pi * share**0.9 * 0.82)  # sRGB allows little chroma at both ends
    oklab = np.stack([lightness, chroma * np.cos(HUE), chroma * np.sin(HUE)], 1)
    linear = ((oklab @ LMS.T) ** 3 @ RGB.T).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ["#" + "".join(f"{round(part * 255):02x}" for part in color) for color in encoded.tolist()]


SHADES = tuple(shades(*ON_LIGHT))
DARK_SHADES = tuple(shades(*ON_DARK))


def shade(weight: float) -> int:
    """The index in SHADES for a weight. The scale is always 0 to 1, so that flat attention looks flat."""
    return round(min(1.0, weight) * (NUM_SHADES - 1))


def heat_rules() -> str:
    """CSS: the class `w37` has the color of weight 0.37 as `--shade`, and a legible text color as `--on`."""
    rules = [f".w{number}{{--shade:light-dark({light},{dark})}}" for number, (light, dark) in enumerate(both())]
    inks = [(ink(light), ink(dark)) for light, dark in both()]
    for (light, dark), numbers in groupby(range(NUM_SHADES), key=lambda number: inks[number]):
        rules.append(f"{','.join(f'.w{number}' for number in numbers)}{{--on:light-dark({light},{dark})}}")
    return "".join(rules)


def both() -> list[tuple[str, str]]:
    """Each shade on a light and on a dark page."""
    return list(zip(SHADES, DARK_SHADES, strict=True))


def ink(background: str) -> str:
    """Black or white, whichever contrasts more with the background; at least 4.5 to 1."""
    return "#000" if contrast("#000000", background) >= contrast("#ffffff", background) else "#fff"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors, 1 to 21 (WCAG 2, 1.4.3)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb`."""
    parts = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
