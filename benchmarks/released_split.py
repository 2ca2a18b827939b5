"""A generated split in the format of those released with the NCF paper.

Pinterest's files may not be copied on; `python -m benchmarks.released_split FOLDER` writes three
of their names, format and size, so that `data=ncf-pinterest data.path=FOLDER` can be tried, and
timed, before they are there. Nothing learned from them says anything about Pinterest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from src.data.interactions import IntArray, Interactions
from src.data.sources.released import FILES
from src.data.sources.synthetic import Synthetic
from src.data.unseen import UnseenItems

PINTEREST = Synthetic(n_users=55_187, n_items=9_916, n_interactions=1_500_809)
N_NEGATIVES = 99
SEED = 0


def write_split(folder: Path, data: Interactions, name: str = "pinterest-20") -> None:
    """Write every user's last interaction as test, with negatives, and the others as training."""
    train, test, negative = (folder / file for file in FILES[name])
    folder.mkdir(parents=True, exist_ok=True)
    last = np.flatnonzero(np.diff(data.users, append=data.n_users))
    held = np.zeros(len(data), dtype=bool)
    held[last] = True
    _write_ratings(train, data.users[~held], data.items[~held])
    _write_ratings(test, data.users[held], data.items[held])
    unseen = UnseenItems(data, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(SEED)
    drawn = unseen.draw_distinct(torch.arange(data.n_users), N_NEGATIVES, generator).numpy()
    with negative.open("w") as lines:
        for user, (item, row) in enumerate(zip(data.items[held], drawn, strict=True)):
            items = "\t".join(map(str, row))
            lines.write(f"({user},{item})\t{items}\n")


def _write_ratings(file: Path, users: IntArray, items: IntArray) -> None:
    """Write a line a pair: user, item, 1, and no time."""
    rows = np.stack([users, items, np.ones_like(users)], 1)
    np.savetxt(file, rows, fmt="%d", delimiter="\t")


if __name__ == "__main__":
    write_split(Path(sys.argv[1]), PINTEREST.read())
