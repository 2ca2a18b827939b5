from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from src.config.compose import compose
from src.data.sources.file import TableFile
from src.data.sources.gowalla import Gowalla
from src.data.sources.movielens import RELEASES, MovieLens
from src.data.sources.released import FOLDERS, ReleasedNCF

CONF = Path(__file__).resolve().parents[3] / "conf" / "data"


def source(choice: str, path: str | None) -> Any:
    data = OmegaConf.merge(
        {"data": {"root": "outputs/data", "path": path}},
        {"data": OmegaConf.load(CONF / f"{choice}.yaml")},
    ).data
    assert data.name == (Path(path).stem if path else choice)
    return instantiate(data.source)


@pytest.mark.parametrize("release", RELEASES)
def test_movielens(release: str) -> None:
    made = source(release, None)
    assert isinstance(made, MovieLens)
    assert (made.release, str(made.root), made.path) == (release, "outputs/data", None)


@pytest.mark.parametrize(("name", "folder"), FOLDERS.items())
def test_released(name: str, folder: str) -> None:
    made = source(folder, None)
    assert isinstance(made, ReleasedNCF)
    assert (made.name, str(made.folder)) == (name, f"outputs/data/{folder}")
    assert OmegaConf.load(CONF / f"{folder}.yaml").candidates == "released"


def test_gowalla() -> None:
    made = source("gowalla", None)
    assert isinstance(made, Gowalla)
    assert str(made.folder) == "outputs/data/gowalla"


def test_file() -> None:
    made = source("file", "r.csv")
    assert isinstance(made, TableFile)
    assert set(made.reader.wanted.values()) == {"auto"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/plays.csv", "plays"),
        ("plays.v2.csv.gz", "plays"),
        ("my plays (1).parquet", "my-plays-1"),
        (".plays.csv", "plays"),
        ("..", "file"),
        (None, "file"),
    ],
)
def test_data_are_called_after_their_file(path: str | None, name: str) -> None:
    words = [] if path is None else [f"data.path='{path}'"]
    assert compose(["data=file", *words]).data.name == name
