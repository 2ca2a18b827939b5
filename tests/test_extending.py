"""Parts of a user's own as docs/extending.md prints them: its files, commands and mistakes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import torch

from src.tracking.reading import Reader
from tests.commands import ONE_THREAD, REPOSITORY, SMALL_DATA, Finished

if TYPE_CHECKING:
    from tests.conftest import Call

PAGE = (REPOSITORY / "docs" / "extending.md").read_text()
SMALL = (*ONE_THREAD, "ks=[1,10]", "trainer.max_epochs=1")
UNTRACKED = (*SMALL_DATA, *SMALL, "tracking=none")
MINE = ("--config-dir", "conf")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```(?:{kind})\n(.*?)```", PAGE, re.DOTALL)


FILES = {text.splitlines()[0].removeprefix("# "): text for text in blocks("python|yaml")}
COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


def commands(door: str) -> list[list[str]]:
    """The commands that the page has below a heading, each as the words after ncf-."""
    (section,) = re.findall(
        rf"^##+ {door}\n(.*?)(?=^#|\Z)", PAGE.replace("\n# ", "\n\u200b "), re.M | re.S
    )
    printed = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line.removeprefix("ncf-")) for b in printed for line in b.splitlines()]


def shorten(words: list[str]) -> list[str]:
    """The words of a command that trains, with small data and short training behind them."""
    chosen = any(word.startswith("data=") for word in words)
    return [*words, *(SMALL if chosen else (*SMALL_DATA, *SMALL))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's working folder with all files of the page."""
    own = tmp_path / "own"
    for name, text in FILES.items():
        file = own / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(own)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield own
    for module in set(sys.modules) - before:
        if module.startswith("my"):
            del sys.modules[module]


def run(call: Call, *words: str) -> Finished:
    """Run a command of the page in this process, and expect it to go well."""
    command, *rest = words
    finished = (
        call(*shorten(rest), command=command)
        if command in ("train", "tune")
        else call(*rest, command=command)
    )
    assert finished.status == 0, finished
    return finished


def metrics_of(finished: Finished) -> dict[str, float]:
    found: dict[str, float] = json.loads((finished.folder / "metrics.json").read_text())
    return found


def test_every_command_is_run_here() -> None:
    headings = [
        "A model",
        "A model that changes one of ours",
        "A loss",
        "A source of data",
        "A metric",
        "From recommended lists",
        "An optimizer and a schedule",
        "A callback",
        "A logger",
        "The rest of the Trainer",
    ]
    assert sum(len(commands(heading)) for heading in headings) == len(COMMANDS)


def test_a_model(call: Call, folder: Path, tmp_path: Path) -> None:
    train, evaluate, tune, sweep, report = commands("A model")
    trained = run(call, *train)
    assert "mine on synthetic" in trained.out
    assert metrics_of(trained)["fit/parameters"] == 300 * 8

    placed = [word.replace("outputs/runs/FOLDER", str(trained.folder)) for word in evaluate]
    assert "mine on synthetic" in run(call, *placed).out

    tuned = run(call, *tune)
    settings, _, printed = tuned.said("settings").partition(": ")
    assert printed.startswith("python -m src.train --config-dir conf experiment=tuned/")
    assert "/model: mine" in Path(settings).read_text()
    run(call, "train", *shlex.split(printed)[3:])

    swept = run(call, *sweep)
    assert "2 finished" in swept.out
    page = Path(run(call, *report).said("page"))
    assert ">mine<" in page.read_text()
    configurations = pd.read_csv(page.with_suffix("") / "configurations.csv")
    assert set(configurations["model"]) == {"mine", "gmf"}

    # the report compares what the sweep's jobs are now
    model = folder / "mymodel.py"
    model.write_text(model.read_text().replace("return 1 -", "return 2 -"))
    assert "2 jobs, 1 finished before" in run(call, *sweep).out
    assert "compared 2 runs" in run(call, *report).out


def test_a_sweep_knows_the_model_s_code(call: Call, folder: Path) -> None:
    words = ("train", *MINE, "-m", "model=mine,gmf", "tracking=none")
    assert "sweep synthetic_mine-gmf-" in run(call, *words).out
    model = folder / "mymodel.py"
    model.write_text(model.read_text().replace("by how near", "by how close"))
    assert "2 jobs, 2 finished before" in run(call, *words).out
    model.write_text(model.read_text().replace("return 1 -", "return 2 -"))
    assert "2 jobs, 1 finished before" in run(call, *words).out


def test_a_search_knows_the_model_s_code(call: Call, folder: Path) -> None:
    words = (*MINE, "model=mine", "trials=1", "tracking=none", "optimizer.lr=0.01")
    first = run(call, "tune", *words)
    model = folder / "mymodel.py"
    model.write_text(model.read_text().replace("return 1 -", "return 2 -"))
    assert run(call, "tune", *words).said("folder") != first.said("folder")


def test_a_model_that_changes_one_of_ours(call: Call, folder: Path) -> None:
    (train,) = commands("A model that changes one of ours")
    sharp, plain = run(call, *train, "tracking=none"), run(call, "train", "tracking=none")
    assert metrics_of(sharp)["fit/parameters"] == metrics_of(plain)["fit/parameters"]
    # it learns by other gradients
    losses = [pd.read_csv(one.folder / "history.csv")["train/loss"][0] for one in (sharp, plain)]
    assert losses[0] != losses[1]


def test_a_loss(call: Call, folder: Path) -> None:
    losses = []
    for words in commands("A loss"):
        finished = run(call, *words, "tracking=none")
        losses.append(pd.read_csv(finished.folder / "history.csv")["train/loss"][0])
    assert len(set(losses)) == 3


def test_the_page_s_gradient_is_that_of_its_loss(folder: Path) -> None:
    sys.path.append(str(folder))
    from mylosses import Exponential  # type: ignore[import-not-found]

    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    Exponential()(logits).backward()
    torch.testing.assert_close(Exponential().gradient(logits.detach()), logits.grad)


def test_a_source_of_data(call: Call, folder: Path) -> None:
    (words,) = commands("A source of data")
    finished = run(call, *words, "tracking=none")
    assert "200 users, 80 items: 2000 training" in finished.out
    assert "neumf on mine" in finished.out
    users = pd.read_parquet(finished.folder / "per_user.parquet")["user"]
    assert set(users) == {f"user-{n}" for n in range(200)}
    assert "preparing" not in run(call, *words, "tracking=none").out


def test_a_metric_from_recommended_lists(call: Call, folder: Path) -> None:
    (train,) = commands("From recommended lists")
    measured = metrics_of(run(call, *train))
    # a tenth would be chance; users have had much of what is popular already
    assert 0.2 < measured["test/full/head_share@10"] <= 1
    assert measured["test/full/head_share@1"] >= measured["test/full/head_share@10"]
    assert not [name for name in measured if name.startswith(("val/head", "test/head"))]


def test_a_metric(call: Call, folder: Path) -> None:
    plain, monitored, sweep, report = commands("A metric")
    finished = run(call, *plain)
    assert 0 < metrics_of(finished)["test/rbp@10"] < 0.2
    assert "rbp@10" in pd.read_parquet(finished.folder / "per_user.parquet")
    chosen = run(call, *monitored)
    assert "epoch chosen by Rbp@10 on validation" in chosen.out
    assert 0 < metrics_of(chosen)["val/rbp@10"] < 0.2
    uri = chosen.said("tracking").split(" of ")[1].split(";")[0]
    (record,) = Reader(uri).runs([chosen.run_id])
    assert record.metrics["test/rbp@10"] == metrics_of(chosen)["test/rbp@10"]

    assert "2 finished" in run(call, *sweep).out
    page = Path(run(call, *report).said("page"))
    assert "Effort" in page.read_text()
    runs = pd.read_csv(page.with_suffix("") / "configurations.csv")
    assert any("effort" in column for column in runs.columns)


def test_lower_values_of_a_metric_choose_the_epoch(call: Call, folder: Path) -> None:
    words = ("metrics=[mymetrics.EFFORT]", "protocol.monitor=val/effort", "trainer.max_epochs=3")
    # a rate that spoils what was learned
    spoiling = ("model=gmf", "optimizer.lr=3", "tracking=none")
    finished = call(*SMALL_DATA, *SMALL, *words, *spoiling)
    assert finished.status == 0, finished
    history = pd.read_csv(finished.folder / "history.csv")["val/effort"]
    assert history.nunique() > 1
    assert metrics_of(finished)["val/effort"] == history.min()


def test_an_optimizer_and_a_schedule(call: Call, folder: Path) -> None:
    (words,) = commands("An optimizer and a schedule")
    finished = call(*shorten(words[1:]), "trainer.max_epochs=3", "tracking=none")
    assert finished.status == 0, finished
    rates = pd.read_csv(finished.folder / "history.csv")["train/lr"]
    assert list(rates) == [0.0005, 0.001, 0.001]


def test_a_callback(call: Call, folder: Path) -> None:
    (words,) = commands("A callback")
    assert re.search(r"^norm \d+\.\d{3}$", run(call, *words, "tracking=none").out, re.M)


def test_a_logger(call: Call, folder: Path) -> None:
    csv, board, mine = commands("A logger")
    finished = run(call, *csv)
    assert "dashboard" not in finished.said("tracking")
    table = pd.read_csv(finished.folder / "csv" / "metrics.csv")
    assert "test/ndcg@10" in table.columns
    lines = (run(call, *mine).folder / "lines.log").read_text()
    assert "options\n" in lines
    assert "test/ndcg@10" in lines
    pytest.importorskip("tensorboard")
    assert list(run(call, *board).folder.rglob("events.out.tfevents*"))


def test_the_rest_of_the_trainer(call: Call, folder: Path) -> None:
    (words,) = commands("The rest of the Trainer")
    few = call(*shorten(words[1:]), "trainer.max_epochs=1", "data.batch_size=64", "tracking=none")
    assert few.status == 0, few
    every = run(call, "train", "model=gmf", "data.batch_size=64", "tracking=none")
    shown = [pd.read_csv(one.folder / "history.csv")["train/loss"][0] for one in (few, every)]
    assert shown[0] > shown[1]


# Mistakes


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "model=mine model._target_=nowhere.Mine",
            "model._target_=nowhere.Mine can't be imported: No module named 'nowhere'",
        ),
        (
            "model=mine model._target_=mymodel.Distnce",
            "model._target_=mymodel.Distnce can't be imported: module 'mymodel' has no attribute",
        ),
        ("model=mine model._target_=mylosses.Focal", "mylosses.Focal is no Recommender"),
        ("model=mine model.factors=0", "model.factors=0: Input should be greater than or equal"),
        ("model=nameless", "model.name has to be given, "),
        ("loss=focal loss._target_=mylosses.Fcal", "loss._target_=mylosses.Fcal can't be"),
        ("loss=focal loss.power=much", "loss.power=much: Input should be a valid number"),
        ("loss=focal +loss.powr=1", "no option loss.powr; did you mean power?"),
        (
            "data.source._target_=mydata.Cycle",
            "data.source._target_=mydata.Cycle can't be imported",
        ),
        ("optimizer=lion optimizer.lr=fast", "optimizer.lr=fast: "),
        ("metrics=[mymetrics.rpb]", "metrics=mymetrics.rpb can't be imported: module 'mymetrics'"),
        ("metrics=[mydata.Circle]", "metrics=mydata.Circle: a function of (ranked, k) or of"),
        ("metrics=[src.evaluation.metrics.hr]", "there is a metric hr already"),
        (
            "metrics=[mymetrics.rbp] protocol.monitor=val/rpb@10",
            "did you mean val/rbp@10",
        ),
        (
            "trainer.callbacks=[{_target_:mylosses.Focal}]",
            "trainer.callbacks: mylosses.Focal is no Lightning Callback",
        ),
        (
            "trainer.callbacks=[{_target_:mycallbacks.Norms,digit:2}]",
            "no option trainer.callbacks.0.digit; did you mean digits?",
        ),
        ("tracking=csv tracking._target_=mylosses.Focal", "mylosses.Focal is no Lightning logger"),
        ("tracking=mine +tracking.endnig=x", "no option tracking.endnig; did you mean ending?"),
        (
            "+trainer.more.acumulate_grad_batches=2",
            "no option trainer.more.acumulate_grad_batches; did you mean accumulate_grad_batches",
        ),
        (
            "+trainer.more.accumulate_grad_batches=2",
            "trainer.more.accumulate_grad_batches: steps are taken by hand here; "
            "use a larger data.batch_size",
        ),
        ("+trainer.more.max_epochs=2", "trainer.more.max_epochs is set by this project: use"),
    ],
)
def test_mistakes(words: str, line: str, call: Call, folder: Path, tmp_path: Path) -> None:
    (folder / "conf" / "model" / "nameless.yaml").write_text("_target_: mymodel.Distance\n")
    ending = [] if "tracking=" in words else ["tracking=none"]
    finished = call(*MINE, *SMALL_DATA, *SMALL, *ending, *words.split())
    assert finished.status == 2, finished
    (said,) = finished.err.splitlines()
    assert said.startswith("error: ")
    assert line in said
    # before anything was prepared
    assert not (tmp_path / "outputs" / "prepared").exists()


def test_a_logger_without_its_library(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("Neither `tensorboard` nor `tensorboardX` is available.")

    monkeypatch.setattr("pytorch_lightning.loggers.TensorBoardLogger.__init__", missing)
    finished = call(*SMALL_DATA, *SMALL, "tracking=tensorboard")
    assert finished.status == 2
    assert finished.err.startswith("error: tracking=tensorboard needs a library: Neither `tensor")


# In processes, as users start them


def start(folder: Path, *words: str) -> Finished:
    """Run a command in the user's folder, writing below it."""
    finished = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "NCF_HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)


def script(name: str) -> str:
    path = Path(sys.executable).parent / f"ncf-{name}"
    if not path.exists():
        pytest.skip("the package is not installed")
    return str(path)


def test_by_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    words = (*MINE, *UNTRACKED, "model=mine")
    finished = start(folder, sys.executable, "-m", "src.train", *words)
    assert finished.status == 0, finished.err
    assert "mine on synthetic" in finished.out


@pytest.fixture
def shadowed(folder: Path) -> Path:
    """A user's working folder with a `src` of the user's own in it."""
    (folder / "src").mkdir()
    (folder / "src" / "__init__.py").write_text("raise SystemExit('not this one')\n")
    return folder


def test_workers_of_a_search_where_src_is_a_folder_of_the_user_s(shadowed: Path) -> None:
    words = (*MINE, *UNTRACKED, "model=mine", "trials=2", "workers=2", "name=two")
    tuned = start(shadowed, script("tune"), *words)
    assert tuned.status == 0, tuned.err
    assert "2 finished" in tuned.said("trials")
    printed = tuned.said("settings").partition(": ")[2]
    assert printed == "ncf-train --config-dir conf experiment=tuned/two"


@pytest.mark.slow
def test_jobs_at_once_where_src_is_a_folder_of_the_user_s(shadowed: Path) -> None:
    at_once = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    words = (*MINE, "-m", *UNTRACKED, "model=mine", "seed=0,1", *at_once)
    swept = start(shadowed, script("train"), *words)
    assert swept.status == 0, swept.err
    assert "2 finished" in swept.out


def test_sweeps_of_a_paper_where_src_is_a_folder_of_the_user_s(
    shadowed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from src.papers.running import _train

    assert _train(["--help"]) == 0
    assert "model: " in capfd.readouterr().out
