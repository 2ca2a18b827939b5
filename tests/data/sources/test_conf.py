from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from src.data.sources.file import TableFile
from src.data.sources.movielens import RELEASES, MovieLens
from src.data.sources.released import FOLDERS, ReleasedNCF

CONF = Path(__file__).resolve().parents[3] / "conf" / "data"


def source(choice: str, path: str | None) -> Any:
    data = {"root": "outputs/data", "path": path, **OmegaConf.load(CONF / f"{choice}.yaml")}
    assert data["name"] == choice
    return instantiate(OmegaConf.create({"data": data}).data.source)


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


def test_file() -> None:
    made = source("file", "r.csv")
    assert isinstance(made, TableFile)
    assert made.columns == {"user": "user", "item": "item"}
