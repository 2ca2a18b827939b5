"""The colours of all pictures: a hue for each model, the same in every picture of a page."""

from __future__ import annotations

from collections.abc import Iterable

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
