"""The MovieLens releases of GroupLens, unpacked or as the archives that GroupLens publishes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from src.data.interactions import Interactions
from src.data.sources.checksums import fingerprint, sha256
from src.data.sources.download import download
from src.data.sources.side_table import SideTable
from src.errors import UserError

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
# Byte-identical copies of the first four releases (recommenders-team/recommenders, PR 2369), made
# because GroupLens' certificate expires now and then.
HUGGING_FACE = "https://huggingface.co/datasets/Recommenders/MovieLens/resolve/main"

BY_POSITION = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}
BY_NAME = {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"}

# Endings of tables that people bring
OTHER_TABLES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")


@dataclass(frozen=True)
class Release:
    """Where a release is published, and what its archive looks like inside."""

    urls: tuple[str, ...]
    sha256: str
    """SHA-256 of the archive."""
    ratings: str
    """The ratings file's name in the archive: folder/file."""
    separator: str
    columns: dict[str, int] | dict[str, str]


RELEASES = {
    "ml-100k": Release(
        (f"{GROUPLENS}/ml-100k.zip", f"{HUGGING_FACE}/ml-100k.zip"),
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        "ml-100k/u.data",
        "\t",
        BY_POSITION,
    ),
    "ml-1m": Release(
        (f"{GROUPLENS}/ml-1m.zip", f"{HUGGING_FACE}/ml-1m.zip"),
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        "ml-1m/ratings.dat",
        "::",
        BY_POSITION,
    ),
    "ml-10m": Release(
        (f"{GROUPLENS}/ml-10m.zip", f"{HUGGING_FACE}/ml-10m.zip"),
        "813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862",
        "ml-10M100K/ratings.dat",
        "::",
        BY_POSITION,
    ),
    "ml-20m": Release(
        (f"{GROUPLENS}/ml-20m.zip", f"{HUGGING_FACE}/ml-20m.zip"),
        "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        "ml-20m/ratings.csv",
        ",",
        BY_NAME,
    ),
    "ml-25m": Release(
        (f"{GROUPLENS}/ml-25m.zip",),
        "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        "ml-25m/ratings.csv",
        ",",
        BY_NAME,
    ),
    "ml-32m": Release(
        (f"{GROUPLENS}/ml-32m.zip",),
        "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
        "ml-32m/ratings.csv",
        ",",
        BY_NAME,
    ),
}


class MovieLens:
    """One MovieLens release: every rating, with its time.

    It is looked for at `path` when given: the ratings file, a folder that holds it (or holds it one
    folder below), or the .zip. Otherwise it is looked for in `root`: in `<release>/`, in the folder
    named as in the archive, and as `<release>.zip`. Where none of them is there, the archive is
    downloaded to `<release>.zip`.
    """

    def __init__(
        self,
        release: Literal["ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m"],
        root: str,
        path: str | None = None,
    ) -> None:
        if release not in RELEASES:
            raise UserError(f"no MovieLens release {release!r}: choose from {', '.join(RELEASES)}")
        self.release = release
        self.root = Path(root).expanduser()
        self.path = None if path is None else Path(path).expanduser()

    def fingerprint(self) -> str:
        """Return a hex digest of the release's name and the archive (or unpacked ratings file)."""
        return fingerprint([self._file], source="MovieLens", release=self.release)

    def read(self) -> Interactions:
        """Read every rating in file order. Raises UserError that names the file and line."""
        release, file = RELEASES[self.release], self._file
        member = release.ratings if file.suffix == ".zip" else None
        from src.data.sources.text import TextFile  # pandas loads only where files are read

        return TextFile(file, release.separator, member).read(release.columns).interactions()

    def item_file(self) -> SideTable | None:
        """Return the file that names the films, beside the ratings; None where it is not there."""
        release, file = RELEASES[self.release], self._file
        folder, _, ratings = release.ratings.rpartition("/")
        name = "u.item" if ratings == "u.data" else ratings.replace("ratings", "movies")
        if file.suffix == ".zip":
            return SideTable(file, f"{folder}/{name}")
        beside = file.with_name(name)
        return SideTable(beside) if beside.is_file() else None

    @cached_property
    def _file(self) -> Path:
        """The ratings file, or the .zip that holds it."""
        return self._find_in_root() if self.path is None else self._find_at(self.path)

    def _find_at(self, path: Path) -> Path:
        if path.is_file():
            released = Path(RELEASES[self.release].ratings).suffix
            if path.suffix in OTHER_TABLES and path.suffix != released:
                raise UserError(
                    f"data.path={path}: no file of {self.release}; for a table of your own add "
                    "data=file"
                )
            return path
        if not path.is_dir():
            raise UserError(f"data.path={path}: no such file or folder")
        ratings = Path(RELEASES[self.release].ratings)
        below = sorted(path.glob(f"*/{ratings.name}"))
        own = [path / ratings.name, path / ratings, path / self.release / ratings.name]
        for file in own + (below if len(below) == 1 else []):
            if file.is_file():
                return file
        raise UserError(
            f"data.path={path}: no {ratings.name} of {self.release} there or one folder below"
            + (f", but more than one: {', '.join(map(str, below))}" if below else "")
        )

    def _find_in_root(self) -> Path:
        release, archive = RELEASES[self.release], self.root / f"{self.release}.zip"
        ratings = Path(release.ratings)
        for file in (self.root / self.release / ratings.name, self.root / ratings):
            if file.is_file():
                return file
        if not archive.exists():
            advice = f"no {self.release} here: put {release.urls[0]} at {archive}"
            download(release.urls, archive, sha256, release.sha256, advice)
        got = sha256(archive)
        if got != release.sha256:
            raise UserError(
                f"{archive} is not {self.release} as released: SHA-256 expected {release.sha256}, "
                f"got {got}; delete it to download it again, or read it as it is with data.path"
            )
        return archive
