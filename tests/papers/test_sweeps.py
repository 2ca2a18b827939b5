"""The grids of conf/experiment/paper, as the command runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from src.errors import UserError
from src.papers.sweeps import Request, composed, sweeps_of, tuned_models
from src.papers.things import PAPER, THINGS
from src.paths import CONF
from tests.commands import SMALL_DATA

FILES = sorted(path.stem for path in (CONF / "experiment" / "paper").glob("*.yaml"))
SYSTEMS = sorted((CONF / "experiment" / "paper" / "system").rglob("*.yaml"))
TINY = tuple(word for word in SMALL_DATA if word != "data=synthetic")


def jobs_of(thing: str, tmp_path: Path, **asked: object) -> dict[str, list[tuple[object, ...]]]:
    """By sweep, the rows that its jobs belong to and their seeds."""
    options = (*TINY, f"data.cache={tmp_path}", *asked.pop("options", ()))  # type: ignore[misc]
    request = Request(["synthetic"], ["leave-one-out"], options=options, **asked)  # type: ignore[arg-type]
    return {
        sweep.name: [
            (*THINGS[thing].key_of(job.options), job.options["seed"]) for job in sweep.jobs
        ]
        for sweep in sweeps_of(THINGS[thing], request)
    }


@pytest.mark.parametrize(
    ("thing", "sizes", "quick"),
    [
        ("table2", [2 * 4 * 3], [2 * 2]),
        ("tables3-4", [5 * 4 * 3], [5 * 2]),
        ("figure4", [5 * 4 * 3, 2], [5 * 2, 2]),
        ("figure5", [5 * 3, 2], [5, 2]),
        ("figure6", [3 * 3], [3]),
        ("figure7", [3 * 6 * 3], [3 * 6]),
    ],
)
def test_sizes_of_the_grids(
    thing: str, sizes: list[int], quick: list[int], tmp_path: Path
) -> None:
    full = jobs_of(thing, tmp_path)
    assert [len(jobs) for jobs in full.values()] == sizes
    small = jobs_of(thing, tmp_path, quick=True)
    assert [len(jobs) for jobs in small.values()] == quick
    every = {job for jobs in full.values() for job in jobs}
    # each job once, and the quick rows are rows of the full grid
    assert len(every) == sum(sizes)
    assert {job for jobs in small.values() for job in jobs} <= every


@pytest.mark.parametrize("thing", PAPER)
def test_published_rows_are_the_rows_of_the_grid(thing: str, tmp_path: Path) -> None:
    rows = {job[:-1] for jobs in jobs_of(thing, tmp_path).values() for job in jobs}
    assert rows == set(THINGS[thing].published["ncf-ml-1m"])


@pytest.mark.parametrize("quick", [False, True])
def test_things_share_jobs(quick: bool, tmp_path: Path) -> None:
    options = (*TINY, f"data.cache={tmp_path}")
    request = Request(["synthetic"], ["leave-one-out"], quick, options=options)
    keys = {
        name: {job.key for sweep in sweeps_of(THINGS[name], request) for job in sweep.jobs}
        for name in PAPER
    }
    assert keys["figure5"] <= keys["figure4"]
    assert keys["figure6"] <= keys["figure4"] | keys["table2"]
    # the rows with 4 negatives at 16 factors
    assert len(keys["figure7"] & keys["figure4"]) == (3 if quick else 9)
    assert len(keys["tables3-4"] & keys["figure4"]) == (2 if quick else 12)
    assert len(set.union(*keys.values())) == (37 if quick else 167)


def test_pretraining_shares_the_jobs_of_its_parts() -> None:
    from omegaconf import OmegaConf

    from src.pretraining import take_stages
    from src.sweeping.jobs import key_of

    for quick in ("", "quick/"):
        word = "experiment/paper/system="
        ((_, whole),) = composed(["experiment=paper/figure5", f"{word}{quick}neumf-pretrained",
                                  "seed=1"])  # fmt: skip
        stages = take_stages(OmegaConf.create(whole))
        for part in ("gmf", "mlp"):
            ((_, alone),) = composed(["experiment=paper/figure5", f"{word}{quick}{part}", "seed=1"])
            stage = OmegaConf.to_container(stages[part], resolve=True)
            assert key_of(stage, "") == key_of(alone, "")  # type: ignore[arg-type]


def test_settings() -> None:
    def options(*words: str) -> dict:  # type: ignore[type-arg]
        return composed(["experiment=paper/table2", "seed=0", "model.factors=8", *words])[0][1]

    system = "experiment/paper/system"
    full, quick = options(f"{system}=neumf"), options(f"{system}=quick/neumf")
    assert (full["data"]["name"], full["data"]["negatives"]) == ("ncf-ml-1m", 4)
    assert (full["data"]["batch_size"], full["optimizer"]["lr"]) == (256, 0.001)
    assert (quick["data"]["batch_size"], quick["optimizer"]["lr"]) == (4096, 0.005)
    assert quick["trainer"]["patience"] == 3
    fused = options(f"{system}=quick/neumf-pretrained")
    assert fused["optimizer"]["_target_"] == "torch.optim.SGD"
    assert fused["optimizer"]["lr"] == 0.01
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
        assert any(file in thing.experiments for thing in THINGS.values())


def test_every_system_is_in_some_grid(tmp_path: Path) -> None:
    used = set()
    for thing in PAPER:
        for quick in (False, True):
            request = Request(["synthetic"], ["leave-one-out"], quick,
                              options=(*TINY, f"data.cache={tmp_path}"))  # fmt: skip
            for sweep in sweeps_of(THINGS[thing], request):
                for job in sweep.jobs:
                    used |= {w.split("=")[1] for w in job.words if "paper/system=" in w}
    folder = CONF / "experiment" / "paper" / "system"
    assert used == {path.relative_to(folder).with_suffix("").as_posix() for path in SYSTEMS}


def test_protocols() -> None:
    request = Request(["ncf-ml-1m"], ["ncf2017"], models=["ease"])
    assert request.protocols_of(THINGS["table2"]) == ["ncf2017"]
    assert request.protocols_of(THINGS["dacrema2021"]) == ("leave-one-out",)
    for quick, patience in ((False, None), (True, 3)):
        words = ["experiment=paper/figure6", "seed=0", "protocol=ncf2017"]
        words += ["experiment/paper/system=quick/gmf"] if quick else ["trainer.patience=null"]
        ((_, options),) = [one for one in composed(words) if one[1]["model"]["name"] == "gmf"][:1]
        assert options["trainer"]["patience"] == patience
        assert options["protocol"]["monitor"] == "test/hr@10"


def test_options_have_the_last_word(tmp_path: Path) -> None:
    own = ["model.factors=8", "seed=0,1"]
    found = jobs_of("figure4", tmp_path, options=own)
    grid, flat = found.values()
    assert {job[1:] for job in grid} == {(8, 0), (8, 1)}
    # what has no factors has no use for them
    assert {job[0] for job in flat} == {"itempop", "itemknn"}
    names = list(found)
    assert names[0].startswith("paper-figure4-synthetic-")
    assert list(jobs_of("figure4", tmp_path, options=["seed=2"])) != names


def test_revisits(tmp_path: Path) -> None:
    chancy, fixed = jobs_of("dacrema2021", tmp_path).values()
    assert sorted(set(chancy)) == sorted(
        (model, seed) for model in ("puresvd", "nmf", "ials", "neumf") for seed in (0, 1, 2)
    )
    assert [job[0] for job in fixed] == ["userknn", "itemknn", "rp3beta", "slim", "ease"]
    (some,) = jobs_of("dacrema2021", tmp_path, models=["ease", "itemknn"]).values()
    assert some == [("itemknn", 0), ("ease", 0)]
    assert tuned_models(THINGS["rendle2020"]) == ["mf", "neumf"]


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(UserError, match=r"no option model\.factor; did you mean model\.factors"):
        composed(["experiment=paper/table2", "model.factor=8"])
    with pytest.raises(UserError, match=r"no option model\.factor; did you mean model\.factors"):
        composed(["experiment=paper/table2", "model.factor=8,16"])
