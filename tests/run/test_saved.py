"""A run's config.yaml, which may be damaged, or anybody's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.compose import compose, plain
from src.errors import UserError
from src.run.saved import read_changed_options, read_saved_options

OPTIONS = plain(compose(["data=synthetic", "model=gmf", "optimizer.lr=1e-05"]))


def saved(folder: Path, text: str | bytes) -> Path:
    (folder / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_what_a_run_saves_is_read(tmp_path: Path) -> None:
    OmegaConf.save(OPTIONS, tmp_path / "config.yaml")
    assert read_saved_options(tmp_path) == OPTIONS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is no configuration of a run: it holds no options"),
        ("just text", "is no configuration of a run: it holds no options"),
        ("[1, 2]", "is no configuration of a run: it holds no options"),
        ("1: 2", "is no configuration of a run: it holds no options"),
        ("services: {web: {}}", "is no configuration of a run: data=None: a choice, or options"),
        ("data: {name: a}", "is no configuration of a run: data.source=None: a choice"),
        ("a: [", "is damaged: "),
        ("a: 1\n b: 2", "is damaged: "),
        ("a: !!python/object/apply:os.system [touch ran]", "is damaged: could not determine a co"),
        ("a: !!timestamp 9999-99-99", "is damaged: "),
        (b"\xff\xfe\x00", "is damaged: "),
        (b"\x00" * 50, "is damaged: "),
        ("a: " + "[" * 5000, "is damaged: "),
        ("a: &a [x, x]\nb: [*a, *a]", "is no configuration of a run: it has aliases"),
        ("a: " + "x" * 1_000_000, "is no configuration of a run: 1,000,003 bytes"),
    ],
)
def test_other_files_are_refused(text: str | bytes, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(line)) as raised:
        read_saved_options(saved(tmp_path, text))
    assert str(raised.value).startswith(str(tmp_path / "config.yaml"))
    assert not Path("ran").exists()


def test_judged_lists_are_no_model(tmp_path: Path) -> None:
    lists = {
        **OPTIONS,
        "model": {"name": "a", "_target_": "src.serving.listed_scores.ListedScores"},
    }
    OmegaConf.save(lists, tmp_path / "config.yaml")
    with pytest.raises(UserError) as error:
        read_saved_options(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} has lists that src.judge judged: there is no model in it"
    )


def test_data_that_moved(tmp_path: Path) -> None:
    words = ["data=parts", "data.train=old/a.csv", "data.test=old/b.csv", "model=gmf"]
    OmegaConf.save(plain(compose(words)), tmp_path / "config.yaml")
    own = {"data": {"root": None, "path": "new"}, "trust": []}
    source = read_changed_options(tmp_path, own)["data"]["source"]
    assert (source["train_path"], source["test_path"]) == ("new/a.csv", "new/b.csv")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config.yaml can't be read: No such file"):
        read_saved_options(tmp_path)


def test_code_of_others_is_refused(tmp_path: Path) -> None:
    crafted = {**OPTIONS, "loss": {"_target_": "os.system", "command": "touch ran"}}
    OmegaConf.save(crafted, tmp_path / "config.yaml")
    with pytest.raises(UserError, match=r"names os.system as loss, .* add trust=os$"):
        read_saved_options(tmp_path)
    assert read_saved_options(tmp_path, ["os"]) == crafted
