"""The colour scale of weights: one hue, from almost white to dark blue, perceptually uniform.

Lightness in Oklab (Björn Ottosson 2020) falls linearly, so the scale also works for colour-blind readers and in grey.
"""

from __future__ import annotations

import numpy as np

NUM_SHADES = 101
LIGHTEST, DARKEST = 0.985, 0.27
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


def shades() -> list[str]:
    """The scale as `#rrggbb`, from weight 0 to 1."""
    share = np.linspace(0, 1, NUM_SHADES)
    lightness = LIGHTEST + (DARKEST - LIGHTEST) * share
    chroma = MOST_CHROMA * np.sin(np.pi * share**0.9 * 0.82)  # sRGB allows little chroma at both ends
    oklab = np.stack([lightness, chroma * np.cos(HUE), chroma * np.sin(HUE)], 1)
    linear = ((oklab @ LMS.T) ** 3 @ RGB.T).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ["#" + "".join(f"{round(part * 255):02x}" for part in colour) for colour in encoded.tolist()]


SHADES = tuple(shades())


def shade(weight: float) -> int:
    """The index in SHADES for a weight. The scale is always 0 to 1, so that flat attention looks flat."""
    return round(min(1.0, weight) * (NUM_SHADES - 1))
