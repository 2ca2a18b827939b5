"""The generated split is one that `data=ncf-pinterest` reads."""

from __future__ import annotations

from pathlib import Path

from benchmarks.released_split import N_NEGATIVES, write_split
from src.data.interactions import Interactions
from src.data.sources.released import ReleasedNCF
from src.data.sources.synthetic import Synthetic


def list_pairs(part: Interactions) -> set[tuple[int, int]]:
    return set(zip(part.users.tolist(), part.items.tolist(), strict=True))


def test_it_is_read_back(tmp_path: Path) -> None:
    data = Synthetic(n_users=20, n_items=400, n_interactions=600, min_per_user=20).read()
    write_split(tmp_path, data)
    split = ReleasedNCF("pinterest-20", root="", path=str(tmp_path)).read()
    assert (len(split.train), len(split.test)) == (580, 20)
    assert split.test.users.tolist() == list(range(20))
    assert split.negatives.shape == (20, N_NEGATIVES)
    parts = [list_pairs(part) for part in (data, split.train, split.test)]
    pairs = parts[0]
    assert pairs == parts[1] | parts[2]
    for user, row in enumerate(split.negatives.tolist()):
        assert len(set(row)) == N_NEGATIVES
        assert not {(user, item) for item in row} & pairs
