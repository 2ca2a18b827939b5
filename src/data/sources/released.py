"""The splits released with the NCF paper (He et al., 2017), with their sampled negatives."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from src.data.interactions import Interactions
from src.data.sources.checksums import fingerprint, git_blob_id
from src.data.sources.download import download
from src.data.sources.negatives import read_negatives
from src.data.sources.source import ReleasedSplit
from src.errors import UserError

if TYPE_CHECKING:
    from src.data.sources.table import Table

log = logging.getLogger(__name__)

DATA = "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data"
FOLDERS = {"ml-1m": "ncf-ml-1m", "pinterest-20": "ncf-pinterest"}
# git blob ids, as GitHub lists them
FILES = {
    "ml-1m": {
        "ml-1m.train.rating": "31ba384fd58dac8fbd09d2dfc6616431f3563ab5",
        "ml-1m.test.rating": "1b79e03c96710c3b0c35deb19155ef74f7965a02",
        "ml-1m.test.negative": "c82844fb99d021f94751a6f915a230a1e8b8da92",
    },
    "pinterest-20": {
        "pinterest-20.train.rating": "99813f8ed7486c36fa0f405e3f400db5d6fed0be",
        "pinterest-20.test.rating": "87fdbd13bced61c51f2842e2a667e83b9b0084e3",
        "pinterest-20.test.negative": "b752ccdc14df423b9484771440ff4a73e4a4a304",
    },
}

COLUMNS = ("user", "item", "rating", "timestamp")
LACKS_TIMES = "no times, so a user's latest interaction is not known"


class ReleasedNCF:
    """A split released with the NCF paper: training pairs, a test pair a user, and its negatives.

    The three files are looked for in `path` when given, otherwise in `<root>/ncf-ml-1m/` or
    `<root>/ncf-pinterest/`, and the missing ones are downloaded to there.
    """

    given_parts = ("test",)

    def __init__(
        self, name: Literal["ml-1m", "pinterest-20"], root: str, path: str | None = None
    ) -> None:
        if name not in FILES:
            raise UserError(f"no released split {name!r}: choose from {', '.join(FILES)}")
        self.name = name
        self.folder = Path(root if path is None else path).expanduser()
        self.download = path is None
        if self.download:
            self.folder /= FOLDERS[name]

    def fingerprint(self) -> str:
        """Return a hex digest of the three files and of the split's name."""
        return fingerprint(self._files, source="ReleasedNCF", name=self.name)

    def read(self) -> ReleasedSplit:
        """Read the split in file order, ids as released. Raises UserError with file and line."""
        from src.data.sources.table import most_ids  # pandas loads only where files are read

        train_file, test_file, negative_file = self._files
        train, test = _read_ratings(train_file), _read_ratings(test_file)
        users, items = train.contiguous("user"), train.contiguous("item")
        test_users, test_items = test.contiguous("user"), test.contiguous("item")
        unknown = ~np.isin(test_users, users)
        if unknown.any():
            row = int(unknown.argmax())
            test.fail(row, f"user {test_users[row]} is not in {train_file}")
        negatives = read_negatives(negative_file, test_users, test_items)

        user_ids = np.arange(1 + users.max())
        item_ids = np.arange(1 + max(items.max(), test_items.max(), negatives.max(initial=0)))
        if len(item_ids) > most_ids(items, test_items, negatives):
            item = item_ids[-1]
            raise UserError(f"{negative_file}: item {item} is not an id that counts from 0")
        return ReleasedSplit(
            Interactions(users, items, user_ids, item_ids, train.ratings(), train.timestamps()),
            Interactions(
                test_users, test_items, user_ids, item_ids, test.ratings(), test.timestamps()
            ),
            negatives,
        )

    @cached_property
    def _files(self) -> list[Path]:
        """The train, test and negatives files."""
        return [self._locate_file(file, blob) for file, blob in FILES[self.name].items()]

    def _locate_file(self, file: str, blob: str) -> Path:
        path = self.folder / file
        if not path.is_file():
            if not self.download:
                own = "; for a table of your own add data=file" * self.folder.is_file()
                raise UserError(f"data.path={self.folder}: no {file} there{own}")
            urls = [f"{DATA}/{name}" for name in FILES[self.name]]
            advice = f"no {file} here: put {', '.join(urls)} in {self.folder}"
            download([f"{DATA}/{file}"], path, git_blob_id, blob, advice)
        elif git_blob_id(path) != blob:
            log.warning("%s differs from the released file: %s", path, _say_how(path))
        return path


def _say_how(path: Path) -> str:
    """Return what a file of ratings lacks that the released one has, and what follows."""
    if path.suffix != ".rating":
        return "results may differ too"
    content = path.read_bytes().replace(b"\r", b"").rstrip(b"\n") + b"\n"
    columns = len(content.partition(b"\n")[0].split(b"\t"))
    if columns == len(COLUMNS):
        return "results may differ too"
    constant = content.count(b"\t1\n") == content.count(b"\n") and columns > COLUMNS.index("rating")
    return f"{LACKS_TIMES}{'; every rating is 1' * constant}"


def _read_ratings(path: Path) -> Table:
    """Read user, item and, where the file has them, rating and timestamp."""
    from src.data.sources.text import TextFile

    file = TextFile(path, "\t")
    fields = COLUMNS[: len(file.read_first_row())]
    return file.read({field: position for position, field in enumerate(fields)})
