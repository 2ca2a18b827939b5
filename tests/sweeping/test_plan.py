"""What a sweep is to do, from literal options."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.errors import UserError
from src.run import identity
from src.run.identity import make_key
from src.sweeping import plan
from src.sweeping.plan import Job, list_swept, longest_first, name_sweep

OPTIONS: dict[str, Any] = {
    "seed": 0,
    "data": {
        "name": "toy",
        "root": "/here",
        "path": None,
        "cache": "/here/prepared",
        "negatives": 4,
        "source": {"_target_": "x.Y", "root": "/here", "path": None},
    },
    "model": {"name": "gmf", "factors": 8},
    **{name: {} for name in ("loss", "optimizer", "scheduler", "trainer", "protocol")},
    "tracking": {"name": "none"},
    "sweep": {
        "name": None,
        "rerun": False,
        "folder": "/sweeps",
        "jobs": "/jobs",
        "parent": None,
        "swept": None,
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    options = deepcopy(OPTIONS)
    *folders, last = path.split(".")
    node = options
    for folder in folders:
        node = node[folder]
    node[last] = value
    return options


@pytest.mark.parametrize(
    "path", ["data.root", "data.path", "data.cache", "data.source.root", "data.source.path",
             "tracking.name", "sweep.name", "sweep.rerun"],
)  # fmt: skip
def test_where_things_lie_makes_no_other_job(path: str) -> None:
    assert make_key(changed(path, "elsewhere"), "abc") == make_key(OPTIONS, "abc")


@pytest.mark.parametrize("path", ["seed", "data.negatives", "data.name", "model.factors"])
def test_what_decides_results_makes_another_job(path: str) -> None:
    assert make_key(changed(path, 1), "abc") != make_key(OPTIONS, "abc")


def test_other_data_or_code_make_another_job(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_key(OPTIONS, "abc")
    assert len(before) == 16
    assert make_key(OPTIONS, "abd") != before
    monkeypatch.setattr(identity, "code_version", lambda: "changed")
    assert make_key(OPTIONS, "abc") != before


def test_jobs_that_come_to_the_same_are_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def fingerprint(options: dict[str, Any]) -> str:
        asked.append(options["data"]["name"])
        return "abc"

    monkeypatch.setattr(plan, "read_fingerprint", fingerprint)
    options = changed("sweep.jobs", str(tmp_path))
    other = {**options, "seed": 1}
    words = [["model=gmf", "seed=0"], ["model=gmf", "seed=00"], ["model=gmf", "seed=1"]]
    planned = plan.plan(list(zip(words, [options, options, other], strict=True)))
    assert [job.words for job in planned] == [words[0], words[2]]
    assert [job.swept for job in planned] == [{"seed": "0"}, {"seed": "1"}]
    assert asked == ["toy"]  # once for all that have the same data
    first, second = planned
    assert first.folder == tmp_path / first.key

    first.folder.mkdir()
    (first.folder / "metrics.json").write_text('{"test/hr@10": 0.5}')
    assert (first.wanted, second.wanted) == (False, True)
    assert first.metrics == {"test/hr@10": 0.5}
    first.options["sweep"]["rerun"] = True
    assert first.wanted


GRID = [["model=gmf", "seed=0", "ks=[1,10]"], ["model=gmf", "seed=1", "ks=[1,10]"]]


def config(name: str | None = None) -> Any:
    own = {"sweep": {**OPTIONS["sweep"], "name": name}}
    return OmegaConf.create({**own, **{group: OPTIONS[group] for group in ("data", "model")}})


def test_a_name_says_what_is_swept() -> None:
    assert list_swept(GRID) == ["seed"]
    assert name_sweep(config(), GRID).startswith("toy_gmf_seed-0-1-")
    models = [["model=gmf", "model.factors=8"], ["model=mlp", "model.factors=16"]]
    assert name_sweep(config(), models).startswith("toy_gmf-mlp_factors-8-16-")
    layers = [["model.layers=[64,8]"], ["model.layers=[32,8]"]]
    assert name_sweep(config(), layers).startswith("toy_gmf_layers-64.8-32.8-")


def test_the_same_command_has_the_same_name() -> None:
    assert name_sweep(config(), GRID) == name_sweep(config(), GRID)
    longer = [[*words, "optimizer.lr=1"] for words in GRID]
    assert name_sweep(config(), longer) != name_sweep(config(), GRID)
    again = [[*words, "sweep.rerun=true"] for words in GRID]
    assert name_sweep(config(), again) == name_sweep(config(), GRID)


def test_a_name_of_the_user_s_own() -> None:
    assert name_sweep(config("night-1"), GRID) == "night-1"
    with pytest.raises(UserError, match=r"sweep.name=a/b: letters, digits"):
        name_sweep(config("a/b"), GRID)


def job(name: str, negatives: int = 4, **model: Any) -> Job:
    options = {"data": {"negatives": negatives}, "model": {"name": name, **model}}
    return Job([], {}, options, name, Path(name))


def test_jobs_at_the_same_time_begin_with_the_longest() -> None:
    jobs = [
        job("pop", _target_="src.models.ItemPop"),
        job("gmf-8", _target_="src.models.GMF", factors=8),
        job("neumf-8", _target_="src.models.NeuMF", factors=8, layers=[64, 32, 16, 8]),
        job("neumf-64", _target_="src.models.NeuMF", factors=64, layers=[512, 256, 128, 64]),
        job("gmf-8, many negatives", negatives=9, _target_="src.models.GMF", factors=8),
        job("wrong", _target_="src.models.GMF", factors=0),
    ]
    assert [one.key for one in longest_first(jobs)] == [
        "neumf-64",
        "neumf-8",
        "gmf-8, many negatives",
        "gmf-8",
        "pop",
        "wrong",
    ]
