"""Malformed files, thousands for each reader: read, or refused in one line, and never worse."""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from src.config.compose import compose, plain
from src.data.interactions import Interactions
from src.data.sources.file import TableFile
from src.data.sources.gowalla import Gowalla
from src.data.sources.movielens import MovieLens
from src.data.sources.released import ReleasedNCF
from src.data.sources.source import ReleasedSplit, Source
from src.run.checks import check_options
from src.run.saved import read_saved_options
from src.training.checkpoints import load_model
from tests.chaos.conftest import Note
from tests.chaos.damage import damaged, numbers, told_in_one_line

if TYPE_CHECKING:
    from tests.conftest import TrainedHome

ROWS = [(f"u{n % 7}", f"größe {n % 5}", n % 5 + 1, 978_300_760 + n) for n in range(40)]
NAMES = ("user", "item", "rating", "timestamp")
OWN = {"rating_column": "rating", "timestamp_column": "timestamp"}
DAT = "".join(f"{n % 7 + 1}::{n % 5 + 1}::{n % 5 + 1}::{978300760 + n}\n" for n in range(40))


def text(separator: str = ",") -> bytes:
    return "\n".join(separator.join(map(str, row)) for row in [NAMES, *ROWS]).encode()


def zipped(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    packed = io.BytesIO()
    frame.to_parquet(packed)
    return packed.getvalue()


TABLE = pd.DataFrame(ROWS, columns=list(NAMES))
ODD_TABLE = TABLE.assign(
    user=[f"{name}\xff".encode("latin-1") for name in TABLE["user"]],
    item=TABLE["item"].astype("category"),
    timestamp=pd.to_datetime(TABLE["timestamp"], unit="s"),
)

READERS: Mapping[str, tuple[str, bytes, Callable[[Path], Source]]] = {
    "csv": ("r.csv", text(), lambda file: TableFile(str(file), **OWN)),
    "tsv.gz": ("r.tsv.gz", gzip.compress(text("\t")), lambda file: TableFile(str(file), **OWN)),
    "zip": ("r.csv.zip", zipped("r.csv", text()), lambda file: TableFile(str(file), **OWN)),
    "bz2 in zip": (
        "r.csv.zip",
        zipped("r.csv", text(), zipfile.ZIP_BZIP2),
        lambda file: TableFile(str(file), **OWN),
    ),
    "lzma in zip": (
        "r.csv.zip",
        zipped("r.csv", text(), zipfile.ZIP_LZMA),
        lambda file: TableFile(str(file), **OWN),
    ),
    "parquet": ("r.parquet", parquet(TABLE), lambda file: TableFile(str(file), **OWN)),
    "json": (
        "r.json",
        TABLE.to_json(orient="records").encode(),
        lambda file: TableFile(str(file), **OWN),
    ),
    "names found": ("r.csv", text(), lambda file: TableFile(str(file))),
    "odd parquet": ("r.parquet", parquet(ODD_TABLE), lambda file: TableFile(str(file), **OWN)),
    "dat": ("ratings.dat", DAT.encode(), lambda file: MovieLens("ml-1m", "/", str(file))),
    "dat in zip": (
        "ml-1m.zip",
        zipped("ml-1m/ratings.dat", DAT.encode()),
        lambda file: MovieLens("ml-1m", "/", str(file)),
    ),
}


@pytest.mark.parametrize("reader", READERS)
@numbers(60, 10_000, "INPUTS")
def test_tables(reader: str, number: int, tmp_path: Path, note: Note) -> None:
    name, content, open_source = READERS[reader]
    file = tmp_path / name
    file.write_bytes(content)
    assert_sound(open_source(file).read())  # what is whole is read
    for harmed in damaged(content, number):
        file.write_bytes(harmed)
        with told_in_one_line(harmed), warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_sound(open_source(file).read())
    note("malformed inputs of 17 readers: read, or refused in one line", number)


RELEASED = {
    "ml-1m.train.rating": b"".join(b"%d\t%d\t5\t%d\n" % (n % 6, n % 5, n) for n in range(30)),
    "ml-1m.test.rating": b"".join(b"%d\t%d\t5\t%d\n" % (n, n + 1, n) for n in range(6)),
    "ml-1m.test.negative": b"".join(b"(%d,%d)\t7\t8\t9\n" % (n, n + 1) for n in range(6)),
}


@pytest.mark.parametrize("name", RELEASED)
@numbers(60, 10_000, "INPUTS")
def test_released_splits(name: str, number: int, tmp_path: Path, note: Note) -> None:
    for file, content in RELEASED.items():
        (tmp_path / file).write_bytes(content)
    assert_sound(ReleasedNCF("ml-1m", "/", str(tmp_path)).read())
    for harmed in damaged(RELEASED[name], number):
        (tmp_path / name).write_bytes(harmed)
        with told_in_one_line(harmed):
            assert_sound(ReleasedNCF("ml-1m", "/", str(tmp_path)).read())
    note("malformed inputs of 17 readers: read, or refused in one line", number)


@numbers(60, 10_000, "INPUTS")
def test_lines_of_items(number: int, tmp_path: Path, note: Note) -> None:
    lines = b"".join(b"%d %d %d %d\n" % (n, n, n + 1, n + 2) for n in range(9))
    (tmp_path / "train.txt").write_bytes(lines)
    (tmp_path / "test.txt").write_bytes(b"".join(b"%d %d\n" % (n, n + 3) for n in range(9)))
    for harmed in damaged(lines, number):
        (tmp_path / "train.txt").write_bytes(harmed)
        with told_in_one_line(harmed):
            assert_sound(Gowalla("/", str(tmp_path)).read())
    note("malformed inputs of 17 readers: read, or refused in one line", number)


@numbers(60, 10_000, "INPUTS")
def test_configurations(number: int, tmp_path: Path, note: Note) -> None:
    options = plain(compose(["data=synthetic", "model=gmf", "scheduler=step"]))
    OmegaConf.save(options, tmp_path / "config.yaml")
    content = (tmp_path / "config.yaml").read_bytes()
    check_options(read_saved_options(tmp_path))
    for harmed in damaged(content, number):
        (tmp_path / "config.yaml").write_bytes(harmed)
        with told_in_one_line(harmed):
            check_options(read_saved_options(tmp_path))
    note("malformed inputs of 17 readers: read, or refused in one line", number)


@numbers(60, 10_000, "INPUTS")
def test_checkpoints(number: int, tmp_path: Path, trained: TrainedHome, note: Note) -> None:
    content = torch.load(trained.run.folder / "checkpoints" / "best.ckpt", weights_only=True)
    small = {key: content[key] for key in ("hyper_parameters", "state_dict", "epoch")}
    file = tmp_path / "best.ckpt"
    torch.save(small, file)
    for harmed in damaged(file.read_bytes(), number):
        file.write_bytes(harmed)
        with told_in_one_line(harmed[:500]):
            load_model(file)
    note("malformed inputs of 17 readers: read, or refused in one line", number)


def assert_sound(data: Interactions | ReleasedSplit | Any) -> None:
    """Assert that what was read is what everything after it takes for granted."""
    parts = [data.train, data.test] if isinstance(data, ReleasedSplit) else [data]
    for part in parts:
        assert len(part.users) == len(part.items) > 0
        assert 0 <= part.users.min() <= part.users.max() < part.n_users
        assert 0 <= part.items.min() <= part.items.max() < part.n_items
        assert len(set(part.user_ids.tolist())) == part.n_users
        assert len(set(part.item_ids.tolist())) == part.n_items
        for column in (part.ratings, part.timestamps):
            assert column is None or len(column) == len(part.users)
