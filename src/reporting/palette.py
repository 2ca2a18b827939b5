"""The colours of all pictures: a hue for each model, the same in every picture of a page."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from functools import cache
from itertools import count
from math import dist

# Distinguishable by colour-blind people too (Okabe and Ito 2008), without its yellow; the last is
# Tol's wine
HUES = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#555555",
    "#882255",
)


# The part of a circle of hues that keeps any number of steps apart from each other
GOLDEN = 0.618033988749895
SHADES = ((0.42, 0.75), (0.66, 0.6), (0.3, 0.6), (0.55, 0.35))
"""Lightness and saturation of the hues that are made."""
APART = 75.0
"""How far two colours are apart at first, of the 442 from black to white; later ones less."""
AT_ONCE = 64


def distinct_color(place: int) -> str:
    """Return a colour of its own for each of 0, 1, 2, ...: the first are `HUES`."""
    return _make_colors(AT_ONCE * (place // AT_ONCE + 1))[place]


@cache
def _make_colors(n: int) -> list[str]:
    """Make n colours, each as far from those before it as there is room for."""
    made = [(int(hue[1:3], 16), int(hue[3:5], 16), int(hue[5:7], 16)) for hue in HUES]
    apart = APART
    for tried in count():
        if len(made) >= n:
            break
        lightness, saturation = SHADES[tried % len(SHADES)]
        parts = colorsys.hls_to_rgb(tried * GOLDEN % 1, lightness, saturation)
        red, green, blue = (round(255 * part) for part in parts)
        if all(dist((red, green, blue), other) > apart for other in made):
            made.append((red, green, blue))
        apart *= 0.99
    return [f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in made]


def model_colors(models: Iterable[str]) -> dict[str, str]:
    """Return a colour for each model, in the order of their names, so that a model keeps its own.

    More models than there are hues share a colour map instead.
    """
    known = sorted(set(models))
    if len(known) <= len(HUES):
        return dict(zip(known, HUES, strict=False))
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return {
        model: to_hex(colormaps["turbo"](i / (len(known) - 1))) for i, model in enumerate(known)
    }
