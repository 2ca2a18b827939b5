"""Where items lie in a model's own space, in two dimensions."""

from __future__ import annotations

from typing import Any

import torch

from src.serving.loaded_run import LoadedRun

# So many points a page draws and a reader tells apart; the most popular come first
MOST_POINTS = 4000


def map_items(run: LoadedRun) -> dict[str, list[Any]] | None:
    """Return columns x, y, popularity, item, title and genres of items; None without vectors.

    x and y are the two first principal components of the item vectors, of what they explain.
    """
    with torch.no_grad():
        vectors = run.model.item_vectors()
    if vectors is None or min(vectors.shape) < 2:
        return None
    centred = vectors.detach().float() - vectors.detach().float().mean(0)
    _, _, components = torch.linalg.svd(centred.T @ centred)
    places = (centred @ components[:2].T).numpy()
    shown = (-run.popularity).argsort(kind="stable")[:MOST_POINTS]
    columns = {name: values.tolist() for name, values in run.describe(shown).items()}
    return {
        **columns,
        "x": places[shown, 0].round(4).tolist(),
        "y": places[shown, 1].round(4).tolist(),
        "popularity": run.popularity[shown].tolist(),
    }
