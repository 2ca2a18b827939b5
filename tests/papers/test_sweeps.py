"""The grids of conf/experiment/paper, as the command runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from src.config.paths import CONF
from src.errors import UserError
from src.papers.exhibits import EXHIBITS, PAPER
from src.papers.request import PaperRequest
from src.papers.sweeps import Sweep, compose_sweep, list_sweeps, list_tuned_models
from src.run.pretraining import take_stages
from src.sweeping.jobs import make_key
from tests.commands import SMALL_DATA

FILES = sorted(path.stem for path in (CONF / "experiment" / "paper").glob("*.yaml"))
SYSTEMS = sorted((CONF / "experiment" / "paper" / "system").rglob("*.yaml"))
TINY = tuple(word for word in SMALL_DATA if word != "data=synthetic")

Grids = dict[tuple[str, bool], list[Sweep]]


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> Grids:
    """Return the sweeps of each of the paper's exhibits, in full and quick."""
    options = (*TINY, f"data.cache={tmp_path_factory.mktemp('prepared')}")
    requests = {
        quick: PaperRequest(
            [EXHIBITS[name] for name in PAPER],
            ["synthetic"],
            ["leave-one-out"],
            quick,
            options=options,
        )
        for quick in (False, True)
    }
    return {
        (exhibit, quick): sweeps
        for quick, request in requests.items()
        for exhibit, sweeps in list_sweeps(request).items()
    }


def rows_of(exhibit: str, sweep: Sweep) -> list[tuple[object, ...]]:
    """Return the row that each job belongs to, and its seed."""
    return [(*EXHIBITS[exhibit].find_row(job.options), job.options["seed"]) for job in sweep.jobs]


@pytest.mark.parametrize(
    ("exhibit", "sizes", "quick"),
    [
        ("table2", [2 * 4 * 3], [2 * 2]),
        ("tables3-4", [5 * 4 * 3], [5 * 2]),
        ("figure4", [5 * 4 * 3, 2], [5 * 2, 2]),
        ("figure5", [5 * 3, 2], [5, 2]),
        ("figure6", [3 * 3], [3]),
        ("figure7", [3 * 6 * 3], [3 * 6]),
    ],
)
def test_the_grids(exhibit: str, sizes: list[int], quick: list[int], grids: Grids) -> None:
    full, small = (
        [rows_of(exhibit, sweep) for sweep in grids[exhibit, short]] for short in (False, True)
    )
    assert [len(rows) for rows in full] == sizes
    assert [len(rows) for rows in small] == quick
    every = {row for rows in full for row in rows}
    # each once, the quick ones among them, and exactly what was published
    assert len(every) == sum(sizes)
    assert {row for rows in small for row in rows} <= every
    assert {row[:-1] for row in every} == set(EXHIBITS[exhibit].published["ncf-ml-1m"])


@pytest.mark.parametrize("quick", [False, True])
def test_exhibits_share_jobs(quick: bool, grids: Grids) -> None:
    keys = {name: {job.key for sweep in grids[name, quick] for job in sweep.jobs} for name in PAPER}
    assert keys["figure5"] <= keys["figure4"]
    assert keys["figure6"] <= keys["figure4"] | keys["table2"]
    # the rows with 4 negatives at 16 factors
    assert len(keys["figure7"] & keys["figure4"]) == (3 if quick else 9)
    assert len(keys["tables3-4"] & keys["figure4"]) == (2 if quick else 12)
    assert len(set.union(*keys.values())) == (37 if quick else 167)


def test_every_system_is_in_some_grid(grids: Grids) -> None:
    words = {word for mine in grids.values() for sweep in mine for job in sweep.jobs
             for word in job.words}  # fmt: skip
    used = {word.split("=")[1] for word in words if word.startswith("experiment/paper/system=")}
    folder = CONF / "experiment" / "paper" / "system"
    assert used == {path.relative_to(folder).with_suffix("").as_posix() for path in SYSTEMS}


def test_pretraining_shares_the_jobs_of_its_parts() -> None:
    for quick in ("", "quick/"):
        word = "experiment/paper/system="
        ((_, whole),) = compose_sweep(["experiment=paper/figure5", f"{word}{quick}neumf-pretrained",
                                  "seed=1"])  # fmt: skip
        stages = take_stages(OmegaConf.create(whole))
        for part in ("gmf", "mlp"):
            ((_, alone),) = compose_sweep(
                ["experiment=paper/figure5", f"{word}{quick}{part}", "seed=1"]
            )
            stage = OmegaConf.to_container(stages[part], resolve=True)
            assert make_key(stage, "") == make_key(alone, "")  # type: ignore[arg-type]


def test_settings() -> None:
    def options(*words: str) -> dict:  # type: ignore[type-arg]
        return compose_sweep(["experiment=paper/table2", "seed=0", "model.factors=8", *words])[0][1]

    system = "experiment/paper/system"
    full, quick = options(f"{system}=neumf"), options(f"{system}=quick/neumf")
    assert (full["data"]["name"], full["data"]["negatives"]) == ("ncf-ml-1m", 4)
    assert (full["data"]["batch_size"], full["optimizer"]["lr"]) == (256, 0.001)
    assert (quick["data"]["batch_size"], quick["optimizer"]["lr"]) == (4096, 0.005)
    assert quick["trainer"]["patience"] == 3
    fused = options(f"{system}=quick/neumf-pretrained")
    assert fused["optimizer"]["_target_"] == "torch.optim.SGD"
    assert fused["optimizer"]["lr"] == 0.001
    assert fused["scheduler"]["total_iters"] == 1
    assert fused["pretrain"]["gmf"]["scheduler"]["_target_"] is None
    assert fused["pretrain"]["mlp"]["optimizer"]["lr"] == 0.005
    bpr = options(f"{system}=mf-bpr")
    assert (bpr["model"]["name"], bpr["data"]["negatives"]) == ("mf", 1)


@pytest.mark.parametrize("file", FILES)
def test_every_file_says_what_it_makes(file: str) -> None:
    path = CONF / "experiment" / "paper" / f"{file}.yaml"
    text = path.read_text()
    assert text.startswith("# @package _global_\n# ")
    if file != "quick":
        assert yaml.safe_load(text)["hydra"]["mode"] == "MULTIRUN"
        assert any(file in exhibit.experiments for exhibit in EXHIBITS.values())


def test_protocols_of_revisits() -> None:
    both = [EXHIBITS["table2"], EXHIBITS["dacrema2021"]]
    request = PaperRequest(both, ["ncf-ml-1m"], ["ncf2017"], models=["ease"])
    assert request.list_protocols(EXHIBITS["table2"]) == ["ncf2017"]
    assert request.list_protocols(EXHIBITS["dacrema2021"]) == ("leave-one-out",)


@pytest.mark.parametrize(("quick", "patiences"), [(False, (5, None)), (True, (3, 3))])
def test_what_the_protocols_change(
    quick: bool, patiences: tuple[int | None, int | None], tmp_path: Path
) -> None:
    request = PaperRequest(
        [EXHIBITS["figure6"]],
        ["synthetic"],
        ["leave-one-out", "ncf2017"],
        quick,
        options=(*TINY, f"data.cache={tmp_path}"),
    )
    validation, test = list_sweeps(request)["figure6"]
    for sweep, patience, monitor in (
        (validation, patiences[0], "val/ndcg@10"),
        (test, patiences[1], "test/hr@10"),
    ):
        assert {job.options["trainer"]["patience"] for job in sweep.jobs} == {patience}
        assert {job.options["trainer"]["max_epochs"] for job in sweep.jobs} == {30}
        assert {job.options["protocol"]["monitor"] for job in sweep.jobs} == {monitor}


def sweeps_with(
    tmp_path: Path, exhibit: str, *options: str, models: Sequence[str] = ()
) -> list[Sweep]:
    """Return the exhibit's sweeps on a little data, with these options."""
    words = (*TINY, f"data.cache={tmp_path}", *options)
    request = PaperRequest(
        [EXHIBITS[exhibit]], ["synthetic"], ["leave-one-out"], models=models, options=words
    )
    return list_sweeps(request)[exhibit]


def test_options_have_the_last_word(tmp_path: Path) -> None:
    grid, flat = sweeps_with(tmp_path, "figure5", "model.factors=4", "seed=5,6")
    assert {(job.options["model"]["factors"], job.options["seed"]) for job in grid.jobs} == {
        (4, 5),
        (4, 6),
    }
    # what has no factors has no use for them
    assert {job.options["model"]["name"] for job in flat.jobs} == {"itempop", "itemknn"}
    assert grid.name.startswith("paper-figure5-synthetic-")
    (other,) = sweeps_with(tmp_path, "figure6", "seed=2")
    assert other.name.rpartition("-")[2] != grid.name.rpartition("-")[2]


def test_revisits(tmp_path: Path) -> None:
    chancy, fixed = sweeps_with(tmp_path, "dacrema2021")
    assert sorted(rows_of("dacrema2021", chancy)) == sorted(
        (model, seed) for model in ("puresvd", "nmf", "ials", "neumf") for seed in (0, 1, 2)
    )
    without_chance = ["userknn", "itemknn", "rp3beta", "slim", "ease"]
    assert rows_of("dacrema2021", fixed) == [(model, 0) for model in without_chance]
    (some,) = sweeps_with(tmp_path, "dacrema2021", models=["ease", "itemknn"])
    assert rows_of("dacrema2021", some) == [("itemknn", 0), ("ease", 0)]
    assert list_tuned_models(EXHIBITS["rendle2020"]) == ["mf", "neumf"]


def test_a_revisit_by_factors(tmp_path: Path) -> None:
    mf, neumf = sweeps_with(tmp_path, "rendle2020-factors")
    assert (mf.protocol, neumf.protocol) == ("leave-one-out", "leave-one-out")
    assert sorted(rows_of("rendle2020-factors", mf)) == sorted(
        ("mf", factors, seed) for factors in (8, 16, 32, 64, 128, 192) for seed in (0, 1, 2)
    )
    assert len(neumf.jobs) == 2 * 4 * 3
    assert all(job.options["protocol"]["refit"] for job in mf.jobs)


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(UserError, match=r"no option model\.factor; did you mean model\.factors"):
        compose_sweep(["experiment=paper/table2", "model.factor=8"])
    with pytest.raises(UserError, match=r"no option model\.factor; did you mean model\.factors"):
        compose_sweep(["experiment=paper/table2", "model.factor=8,16"])


def test_a_row_has_one_run_a_seed(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"figure6: optimizer.lr=0.01 is one value too many: its row, gmf,"
    ):
        sweeps_with(tmp_path, "figure6", "seed=0", "optimizer.lr=0.001,0.01")
    # the rows of figure 7 are told apart by their negatives, and every seed is a run of its own
    (found,) = sweeps_with(tmp_path, "figure7", "data.negatives=1,2", "seed=5,6")
    assert len(found.jobs) == 3 * 2 * 2


def test_runs_that_nobody_could_read_back_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="read from MLflow"):
        sweeps_with(tmp_path, "figure6", "tracking=csv")
