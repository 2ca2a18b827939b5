"""`python -m src.plot`: from the command line to the picture, and the mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from src.errors import UserError
from src.tracking.mlflow import log_file
from tests.commands import REPOSITORY, SMALL_DATA, TINY, Finished
from tests.reporting.pictures.files import png_size, svg_texts

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

SMALL = SMALL_DATA[:4]
TABLE = "user,item,stars,day\n" + "".join(
    f"u{user},i{item},{1 + (user + item) % 5},2024-03-{1 + user + 5 * item:02}\n"
    for user in range(5)
    for item in range(5)
    if user != item
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Five users and five items of one's own."""
    file = tmp_path / "plays.csv"
    file.write_text(TABLE)
    return file


def picture(finished: Finished) -> Path:
    assert finished.status == 0, finished.err
    return Path(finished.said("picture"))


@pytest.mark.parametrize("words", [("graph", *SMALL), (*SMALL, "data"), ("what=data", *SMALL)])
def test_a_word_names_the_picture(words: tuple[str, ...], call: Call, tmp_path: Path) -> None:
    file = picture(call(*words, command="plot"))
    assert file.name == ("graph.png" if "graph" in words else "data.png")
    assert file.parents[1] == tmp_path
    assert all(400 <= side <= 1700 for side in png_size(file))


def test_a_table_of_one_s_own(call: Call, table: Path) -> None:
    columns = ("data.source.rating_column=stars", "data.source.timestamp_column=day")
    own = ("data=file", f"data.path={table}", *columns)
    out = table.parent / "new" / "graph.svg"
    assert picture(call("graph", *own, f"out={out}", command="plot")) == out
    texts = svg_texts(out)
    assert "plays: 5 users and 5 items with 20 interactions" in " ".join(texts)
    assert {"u0", "u4", "i0", "i4", "rating"} <= set(texts)
    picture(call("data", *own, f"out={out}", command="plot"))
    assert "2024-03-02 to 2024-03-24" in svg_texts(out)


def test_matrices_are_drawn_and_printed(call: Call, table: Path) -> None:
    own = ("data=file", f"data.path={table}", f"out={table.parent / 'matrices.svg'}")
    finished = call("matrices", *own, command="plot")
    assert {"adjacency", "normalized Laplacian", "u0", "i4"} <= set(svg_texts(picture(finished)))
    printed = finished.out
    assert printed.startswith("plays.csv: user from user, item from item, rating from stars (for ")
    assert "\nplays: 5 users and 5 items with 20 interactions\n\nadjacency\n" in printed
    # every two users have three of their four items in common
    assert "user projection\n   u0 u1 u2 u3 u4\nu0  0  3  3  3  3\n" in printed
    whole = call("matrices", *own, "users=3", "items=2", command="plot")
    assert "3 of 5 users, 2 of 5 items" in whole.out


def test_filters_apply(call: Call, table: Path) -> None:
    out = table.parent / "data.svg"
    words = ("data=file", f"data.path={table}", "data.source.rating_column=stars", f"out={out}")
    picture(call("data", *words, "data.threshold=4", command="plot"))
    assert any(
        re.search("^5 users, 5 items, 8 interactions", text, re.M) for text in svg_texts(out)
    )


def test_a_released_split_is_drawn_by_its_training_part(call: Call, shared_data: Path) -> None:
    words = ("data=ncf-ml-1m", f"data.root={shared_data}")
    file = picture(call("graph", *words, "users=3", "items=4", command="plot"))
    assert png_size(file)[0] == 900
    refused = call("data", *words, "data.k_core=2", command="plot")
    assert refused.status == 2
    assert refused.err == "error: data.threshold and data.k_core can't change a released split\n"


def test_movielens(call: Call, shared_data: Path) -> None:
    file = picture(call("data", "data=ml-100k", f"data.root={shared_data}", command="plot"))
    assert png_size(file) == (1080, 852)


def test_a_run_s_picture_joins_its_files_and_its_record(
    call: Call, trained: TrainedHome, tmp_path: Path
) -> None:
    from mlflow.tracking import MlflowClient

    home = trained.home
    run = call(*TINY, "model=gmf", "tracking.experiment=drawn", home=home)
    for what, reference in (("graph", run.folder), ("data", run.run_id)):
        drawn = call(what, f"run={reference}", command="plot", home=home)
        assert picture(drawn) == run.folder / f"{what}.png"
        assert drawn.said("tracking") == f"MLflow run {run.run_id} of {trained.uri}"
    files = {file.path for file in MlflowClient(trained.uri).list_artifacts(run.run_id)}
    assert {"graph.png", "data.png", "config.yaml"} <= files
    out = tmp_path / "elsewhere.svg"
    assert picture(call("data", f"run={run.folder}", f"out={out}", command="plot")) == out
    assert any("200 users, 100 items, 6,000" in text for text in svg_texts(out))


def test_a_run_without_a_record(call: Call) -> None:
    run = call(*TINY, "model=gmf", "tracking=none")
    drawn = call("data", f"run={run.folder}", command="plot")
    assert picture(drawn) == run.folder / "data.png"
    assert "tracking" not in drawn.out


def test_a_record_of_another_folder(trained: TrainedHome, tmp_path: Path) -> None:
    file = tmp_path / "graph.png"
    file.write_text("a picture")
    for uri, experiment in (
        (trained.uri, "synthetic"),
        (trained.uri, "no such experiment"),
        (f"sqlite:///{tmp_path}/none.db", "synthetic"),
    ):
        assert log_file(file, tmp_path / "o'neill", uri, experiment) is None
    with pytest.raises(UserError, match=f"^nonsense://x can't be used: .*; {file} is not in the "):
        log_file(file, tmp_path, "nonsense://x", "synthetic")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "no picture is named (python -m src.plot graph, matrices or data)"),
        ("grpah", "no picture grpah; did you mean graph? (python -m src.plot graph, "),
        ("graph data", "can't read data: options are NAME=VALUE"),
        ("graph users=0", "users=0: Input should be greater than or equal to 1"),
        ("graph items=21", "items=21: Input should be less than or equal to 20"),
        ("graph out=x.gif", "out=x.gif: the file has to end in .png, .pdf or .svg"),
        ("graph out=7", "out=7: the file has to end in .png, .pdf or .svg"),
        ("graph data=ml-1", "no data ml-1; did you mean "),
        ("graph user=3", "no option user; did you mean users"),
        ("data data.k_core=x", "data.k_core=x: Input should be a valid integer"),
        ("data data.k_core=1000", "no interactions are left after "),
        ("data run=nowhere", "no run nowhere: neither a folder, nor a name in "),
    ],
)
def test_mistakes(words: str, line: str, call: Call) -> None:
    small = SMALL if "data=ml" not in words and "run=" not in words else ()
    finished = call(*words.split(), *small, command="plot")
    assert finished.status == 2, finished
    (said,) = finished.err.splitlines()
    assert said.startswith(f"error: {line}")
    assert "picture" not in finished.out.split()


def test_a_run_brings_its_own_data(call: Call, tmp_path: Path) -> None:
    finished = call("data", f"run={tmp_path}", "data.k_core=5", command="plot")
    assert finished.status == 2
    expected = f"error: run={tmp_path} is drawn with its own data: leave out data.k_core=5\n"
    assert finished.err == expected


def composed(call: Call, *words: str) -> dict[str, Any]:
    shown = call("--cfg", "job", *words, command="plot")
    assert shown.status == 0, shown.err
    return yaml.safe_load(shown.out)


def test_help(call: Call) -> None:
    shown = call("--help", command="plot")
    assert (shown.status, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 100
    cfg = composed(call, "data")
    assert cfg["what"] == "data"
    options, examples = shown.out.split("Options:")[1].split("Examples:")
    stated = dict(re.findall(r"(?:^ +| )([\w.]+)=(\S+)(?=  | \w)", options, re.MULTILINE))
    for name, default in {"users": 12, "items": 15, "data.k_core": 1, "run": None}.items():
        value: Any = cfg
        for key in name.split("."):
            value = value[key]
        assert value == default
        assert yaml.safe_load(stated[name]) == default
    for example in re.findall(r"python -m src.plot (.*)", examples):
        assert composed(call, *example.split())["what"] in ("graph", "matrices", "data")


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "src.plot", "--help"]
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "bipartite graph" in shown.stdout
    for heavy in ("torch", "pandas", "matplotlib", "numpy", "pytorch_lightning"):
        assert not re.search(rf"\| +{heavy}$", shown.stderr, re.MULTILINE), heavy


def test_the_same_picture_twice(call: Call) -> None:
    first, second = (picture(call("graph", *SMALL, command="plot")) for _ in range(2))
    assert first != second
    assert np.array_equal(*(np.frombuffer(file.read_bytes(), np.uint8) for file in (first, second)))
