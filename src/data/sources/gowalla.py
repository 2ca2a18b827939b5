"""Gowalla's check-ins in the split of NGCF and LightGCN (Wang et al. 2019, He et al. 2020)."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

import numpy as np

from src.data.interactions import IntArray, Interactions
from src.data.sources.archives import open_unpacked
from src.data.sources.checksums import fingerprint, md5
from src.data.sources.download import download_pinned
from src.data.sources.source import ReleasedSplit
from src.errors import UserError, shorten

log = logging.getLogger(__name__)

MIRRORS = (
    "https://raw.githubusercontent.com/gusye1234/LightGCN-PyTorch/master/data/gowalla",
    "https://raw.githubusercontent.com/kuandeng/LightGCN/master/Data/gowalla",
)
# MD5 as DeepHypergraph's registry (dhg/data/gowalla.py) has them. Whoever wrote this could not
# download the files: those that differ are used, and the log says so.
FILES = {
    "train.txt": "5eec1eb2edb8dd648377d348b8e136cf",
    "test.txt": "c04e2c4bcd2389f53ed8281816166149",
}


class Gowalla:
    """Places that users checked in at: 29,858 users, 40,981 places, a fifth of each user's as test.

    Lines are a user and his items, separated by blanks. train.txt and test.txt are looked for in
    `path` when given, otherwise in `<root>/gowalla/`, and the missing ones are downloaded to there.
    Any split in this form can be read by `path`.
    """

    given_parts = ("test",)

    def __init__(self, root: str, path: str | None = None) -> None:
        self.folder = Path(root if path is None else path).expanduser()
        self.download = path is None
        if self.download:
            self.folder /= "gowalla"

    def fingerprint(self) -> str:
        """Return a hex digest of the two files."""
        return fingerprint(self._files, source="Gowalla")

    def read(self) -> ReleasedSplit:
        """Read the split, sorted by user and item. Raises UserError with file and line."""
        train, test = (_read_lines(file) for file in self._files)
        users, new_train, new_test = _number(train[:, 0], test[:, 0])
        if len(users) > new_train.max() + 1:
            stranger = users[new_train.max() + 1]
            raise UserError(f"{self._files[1]}: user {stranger} is not in {self._files[0]}")
        items, train_items, test_items = _number(train[:, 1], test[:, 1])
        return ReleasedSplit(
            Interactions(new_train, train_items, users, items),
            Interactions(new_test, test_items, users, items),
            negatives=None,
        )

    @cached_property
    def _files(self) -> list[Path]:
        return [self._locate_file(file, known) for file, known in FILES.items()]

    def _locate_file(self, file: str, known: str) -> Path:
        path = self.folder / file
        if self.download:
            advice = f"no {file} here: put {', '.join(FILES)} of {MIRRORS[0]} in {self.folder}"
            download_pinned([f"{mirror}/{file}" for mirror in MIRRORS], path, advice)
            if md5(path) != known:
                log.warning("%s differs from the file that others have: results may too", path)
        elif not path.is_file():
            raise UserError(f"data.path={self.folder}: no {file} there")
        return path


def _read_lines(path: Path) -> IntArray:
    """Read the different pairs of user and item, sorted: int64 [n, 2]."""
    with open_unpacked(path) as file:
        lines = file.read().splitlines()
    pairs = []
    for number, line in enumerate(lines, 1):
        try:
            user, *items = map(int, line.split()) if line.strip() else (0,)
            row = np.array([[user, item] for item in items], np.int64).reshape(-1, 2)
        except (ValueError, OverflowError) as error:
            shown = shorten(line[:40].decode(errors="backslashreplace"))
            raise UserError(f"{path}, line {number}: not a user and items: {shown!r}") from error
        pairs.append(row)
    found = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    if not len(found):
        raise UserError(f"{path} has no interactions")
    return np.unique(found, axis=0)


def _number(train: IntArray, test: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Number ids by first appearance, training before test; return the raw ids and both parts."""
    import pandas as pd  # loads only where files are read

    codes, raw = pd.factorize(np.concatenate([train, test]))
    numbers = codes.astype(np.int32)
    return raw, numbers[: len(train)], numbers[len(train) :]
