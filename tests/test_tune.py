"""`python -m src.tune`: searches on small data, from the command line to the settings they find."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml

from src.config.paths import CONF
from src.tracking.views import TAG
from tests.commands import ONE_THREAD, REPOSITORY, SMALL_DATA, Finished, finish, start
from tests.reporting.pictures.files import png_size

if TYPE_CHECKING:
    from tests.conftest import Call

SMALL = (*SMALL_DATA, *ONE_THREAD, "ks=[1,10]")
GMF = ("model=gmf", *SMALL, "trainer.max_epochs=2", "data.batch_size=1024")
QUICK = ("model=itemknn", *SMALL, "tracking=none")


def tune(call: Call, *words: str, home: Path | None = None) -> Finished:
    return call(*words, command="tune", home=home)


def trials_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "trials.csv")


def experiment_of(home: Path, finished: Finished) -> Path:
    (file,) = (home / "outputs" / "conf" / "experiment" / "tuned").glob("*.yaml")
    assert finished.said("settings").startswith(f"{file}: ")
    return file


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A home in which two workers searched for a GMF, each in a process of its own."""
    home = tmp_path_factory.mktemp("tuned")
    words = ("trials=4", "workers=2", "name=small-gmf", *GMF)
    finished = finish(start(home, *words, command="src.tune"))
    assert finished.status == 0, finished.err
    return home, finished


def test_two_workers(searched: tuple[Path, Finished]) -> None:
    home, finished = searched
    assert finished.folder == home / "outputs" / "tuning" / "small-gmf"
    trials = trials_of(finished.folder)
    assert trials["trial"].tolist() == [0, 1, 2, 3]
    assert set(trials["state"]) == {"finished"}
    lines = re.findall(r"^([1-4])/4  trial \d: val/ndcg@10 0\.\d{4}, ", finished.out, re.M)
    assert sorted(lines) == ["1", "2", "3", "4"]
    assert "about " in finished.out
    assert finished.said("given") == "data.batch_size: not searched"
    assert "data.batch_size" not in trials.columns
    left = {file.name for file in finished.folder.iterdir() if not file.is_dir()}
    assert left == {"trials.csv", "history.png", "study.db", ".study.lock"}
    assert png_size(finished.folder / "history.png") == (840, 480)
    assert finished.said("matters").startswith("not said: it takes 10 trials")


def test_only_the_best_trial_keeps_its_checkpoints(searched: tuple[Path, Finished]) -> None:
    folder = searched[1].folder
    trials = trials_of(folder)
    best = trials.loc[trials["val/ndcg@10"].idxmax(), "folder"]
    assert [f.parents[1].name for f in folder.glob("*/checkpoints/best.ckpt")] == [best]


def test_no_trial_ever_sees_test(searched: tuple[Path, Finished]) -> None:
    from mlflow.tracking import MlflowClient

    home, finished = searched
    for folder in finished.folder.glob("trial-*"):
        names = {*json.loads((folder / "metrics.json").read_text())}
        names |= {*pd.read_csv(folder / "history.csv").columns}
        assert "val/ndcg@10" in names
        assert not [name for name in names if name.startswith("test")]
        assert not [*folder.glob("per_user*"), *folder.glob("ranks*")]
        assert not re.search(r"\btest\b(?! interactions)", (folder / "train.log").read_text())
    assert not [name for name in trials_of(finished.folder).columns if "test" in name]
    client = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db")
    for run in client.search_runs(["1"]):
        assert not [name for name in run.data.metrics if name.startswith("test")]
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert not {"per_user.parquet", "ranks.parquet", "checkpoints"} & files


def test_the_record_is_a_tree(searched: tuple[Path, Finished]) -> None:
    from mlflow.tracking import MlflowClient

    home, finished = searched
    client = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db")
    parent = client.get_run(finished.run_id)
    assert parent.info.run_name == "small-gmf"
    assert (parent.data.tags["kind"], parent.data.tags["sweep"]) == ("tuning", "small-gmf")
    assert parent.info.status == "FINISHED"
    files = {file.path for file in client.list_artifacts(finished.run_id)}
    assert {"trials.csv", "history.png"} <= files
    trials = trials_of(finished.folder)
    best = trials.loc[trials["val/ndcg@10"].idxmax()]
    assert parent.data.metrics["best/val/ndcg_at_10"] == best["val/ndcg@10"]
    assert parent.data.metrics["trials/finished"] == 4
    note = parent.data.tags["mlflow.note.content"]
    history = f"#/experiments/1/runs/{finished.run_id}/artifacts/history.png"
    assert f"[values by trial]({history})" in note
    assert f"Best: trial {best['trial']} with val/ndcg@10" in note
    view = json.loads(client.get_experiment("1").tags[f"{TAG}{finished.run_id}"])
    condition = json.loads(view["state"])["searchFilter"]
    trials_shown = client.search_runs(["1"], condition)
    assert {run.data.tags["trial"] for run in trials_shown} == {"0", "1", "2", "3"}
    assert parent.data.tags["best_trial"] == str(best["trial"])
    assert float(parent.data.tags["best.optimizer.lr"]) == best["optimizer.lr"]
    children = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{finished.run_id}'")
    assert sorted(run.data.tags["trial"] for run in children) == ["0", "1", "2", "3"]
    assert {run.data.tags["sweep"] for run in children} == {"small-gmf"}
    assert {run.info.run_name for run in children} == {f"gmf trial {n}" for n in range(4)}
    assert len({run.data.tags["mlflow.runColor"] for run in children}) == 4
    one = next(run for run in children if run.data.tags["trial"] == "0")
    assert float(one.data.params["optimizer.lr"]) == trials.loc[0, "optimizer.lr"]
    assert one.data.metrics["best/val/ndcg_at_10"] == trials.loc[0, "val/ndcg@10"]


def test_the_best_settings_run_with_one_command(
    searched: tuple[Path, Finished], call: Call
) -> None:
    home, finished = searched
    file = experiment_of(home, finished)
    text = file.read_text()
    value = float(trials_of(finished.folder)["val/ndcg@10"].max())
    assert f"val/ndcg@10 {value!r}" in text
    assert "# Study small-gmf (4 finished): trial " in text
    assert finished.said("settings").endswith("python -m src.train experiment=tuned/small-gmf")
    again = call("experiment=tuned/small-gmf", "tracking=none", home=home)
    assert again.status == 0, again.err
    metrics = json.loads((again.folder / "metrics.json").read_text())
    assert metrics["val/ndcg@10"] == value
    assert "test/ndcg@10" in metrics


def test_more_trials_are_added(call: Call, tmp_path: Path) -> None:
    folder = f"hydra.run.dir={tmp_path}/studies"
    first = tune(call, *QUICK, folder, "trials=2")
    assert first.status == 0, first.err
    second = tune(call, *QUICK, folder, "trials=3")
    assert second.folder == first.folder
    assert re.findall(r"^(\d/\d)  trial (\d)", first.out + second.out, re.M) == [
        ("1/2", "0"),
        ("2/2", "1"),
        ("3/3", "2"),
    ]
    whole = tune(call, *QUICK, "trials=3")
    assert whole.folder.name == first.folder.name
    drop = ["seconds"]
    assert (
        trials_of(whole.folder)
        .drop(columns=drop)
        .equals(trials_of(second.folder).drop(columns=drop))
    )
    done = tune(call, *QUICK, folder, "trials=3")
    assert "trial 3" not in done.out
    assert done.said("trials") == "3 finished"


def test_a_study_has_one_space_and_one_set_of_options(call: Call, tmp_path: Path) -> None:
    folder = f"hydra.run.dir={tmp_path}/studies"
    named = (*QUICK, folder, "trials=1", "name=mine")
    assert tune(call, *named).status == 0
    for words, what in (
        (["model.shrink=3"], "model.shrink, search.model.shrink"),
        (["seed=1"], "seed"),
        (["search.model.topk.high=99"], "search.model.topk"),
        (["sampler_seed=1"], "sampler_seed"),
    ):
        refused = tune(call, *named, *words)
        assert refused.status == 2
        assert refused.err == (
            f"error: {tmp_path}/studies/mine is a study with another {what}: "
            "give another name=..., or none\n"
        )
    names = {
        tune(call, *QUICK, folder, "trials=1", word).folder.name for word in ("seed=0", "seed=1")
    }
    assert len(names) == 2
    # how it is run and where things lie make no other study
    other = tune(call, *named, "trainer.threads=2", f"data.cache={tmp_path}/other", "prune=false")
    assert other.status == 0, other.err


def test_an_experiment_s_options_are_kept(call: Call, tmp_path: Path) -> None:
    words = ("experiment=demo", "model=ease", *SMALL, "protocol.refit=true", "tracking=none")
    finished = tune(call, *words, "data.k_core=2", "trials=1", "name=refitted")
    assert finished.status == 0, finished.err
    assert "fitting again" not in (finished.folder / "trial-000" / "train.log").read_text()
    file = experiment_of(tmp_path, finished)
    content = yaml.safe_load(file.read_text())
    assert content["protocol"] == {"refit": True}
    assert content["data"]["k_core"] == 2
    shown = call("--cfg", "job", "experiment=tuned/refitted")
    cfg = yaml.safe_load(shown.out)
    direct = yaml.safe_load(call("--cfg", "job", *words[:-1], "data.k_core=2").out)
    for option, value in trials_of(finished.folder).loc[0].items():
        if str(option).startswith("model."):
            direct["model"][str(option).removeprefix("model.")] = value
    assert cfg == direct


def test_failed_trials_leave_the_others_alone(call: Call) -> None:
    # one of the solvers can't minimize this
    words = ("model=nmf", *SMALL, "tracking=none", "model.init=random", "model.iterations=3")
    words += ("model.beta_loss=kullback-leibler", "+search.model.solver.choices=[cd,mu]")
    finished = tune(call, *words, "trials=2")
    assert finished.status == 0, finished.err
    trials = trials_of(finished.folder)
    assert trials["state"].value_counts()["finished"] == 2
    failed = trials[trials["state"] == "failed"]
    assert len(failed) >= 1
    assert set(failed["model.solver"]) == {"cd"}
    why = "model.solver=cd can't minimize model.beta_loss=kullback-leibler: use mu"
    assert set(failed["error"]) == {why}
    assert f"failed: {why}" in finished.out


def test_a_search_whose_trials_all_fail_ends(call: Call) -> None:
    words = ("model=nmf", *SMALL, "tracking=none", "model.beta_loss=kullback-leibler")
    finished = tune(call, *words, "trials=9")
    assert finished.status == 2
    assert finished.err == (
        "error: 3 of 3 trials failed, the last one with: "
        "model.solver=cd can't minimize model.beta_loss=kullback-leibler: use mu\n"
    )
    assert finished.said("trials") == "3 failed"


def test_importance(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.tuning.conclusion.TRIALS_FOR_IMPORTANCE", 4)
    finished = tune(call, *QUICK, "trials=4")
    assert finished.status == 0, finished.err
    assert re.search(r"model\.topk \d+%", finished.said("matters"))
    assert png_size(finished.folder / "importance.png")[0] == 840


def test_errors_are_minimized(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "ratings.csv"
    rows = [f"{u},{i},{1 + (u * i) % 5}" for u in range(30) for i in range(30) if (u + i) % 3]
    table.write_text("\n".join(["user,item,stars", *rows]))
    own = ("data=file", f"data.path={table}", "data.source.user_column=user")
    own += ("data.source.item_column=item", "data.source.rating_column=stars")
    words = ("model=nmf", "loss=mse", "search=nmf-ratings", "protocol=ratings", "trials=3")
    finished = tune(call, *words, *own, *ONE_THREAD, "ks=[1]", "tracking=none")
    assert finished.status == 0, finished.err
    assert "val/rmse, lower is better" in finished.out
    trials = trials_of(finished.folder)
    best = trials.loc[trials["val/rmse"].idxmin()]
    assert finished.said("best").startswith(
        f"trial {best['trial']} with val/rmse {best['val/rmse']:.4f}"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=random", "random has nothing to tune: python -m src.train model=random is all"),
        ("model=itempop", "itempop has nothing to tune"),
        ("model=ease protocol=ncf2017", "protocol=ncf2017 chooses on test, which a search must"),
        ("experiment=neumf-pretrained", "pre-training again in every trial is no search"),
        ("model=ease trials=0", "trials=0: Input should be greater than or equal to 1"),
        ("model=ease workers=0", "workers=0: Input should be greater than or equal to 1"),
        ("model=ease name=a/b", "name=a/b: letters, digits and . _ + - only"),
        ("model=puresvd model.factors=3", "nothing is left to search: the command line gives"),
        ("model=ease search=gmf", "search.model.factors: the model's configuration has no option"),
        ("model=ease search=gmff", "no search gmff; did you mean gmf"),
        ("model=ease +search.l3.low=1 +search.l3.high=2", "search.l3: the model's configuration"),
        ("model=ease +search.loss.choices=[bcee]", "search.loss: no loss bcee; did you mean bce"),
        ("model=ease search.model.regularization.low=0.0", "search.model.regularization: log need"),
        ("model=ease trainer.max_epochs=x", "trainer.max_epochs=x: Input should be a valid int"),
        ("model=ease trial=3", "no option trial; did you mean trials"),
        ("model=ease data.k_cor=3", "no option data.k_cor; did you mean data.k_core"),
        ("model=ease check=true", "check=true looks at one run: python -m src.train with the same"),
        ("-m model=ease", "a search has many runs as it is: leave out -m"),
    ],
)
def test_mistakes(words: str, line: str, call: Call, tmp_path: Path) -> None:
    finished = tune(call, *words.split(), *SMALL, f"hydra.run.dir={tmp_path}/studies")
    assert finished.status == 2, finished
    (said,) = finished.err.splitlines()
    assert said.startswith(f"error: {line}")
    assert not list((tmp_path / "studies").glob("*/study.db"))


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    words = ("model=gmf", *SMALL, "tracking=none", "trainer.patience=null", "name=ended")
    process = start(tmp_path, *words, "trainer.max_epochs=3", "trials=500", command="src.tune")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "  trial 1: " in line:
            process.send_signal(signal.SIGINT)
            break
    ended = finish(process)
    assert ended.status == 130, ended.err
    folder = tmp_path / "outputs" / "tuning" / "ended"
    trials = trials_of(folder)
    assert len(trials) >= 2
    assert set(trials["state"]) <= {"finished", "pruned"}
    assert (tmp_path / "outputs/conf/experiment/tuned/ended.yaml").exists()
    assert not list(folder.glob(".worker-*"))


@pytest.mark.slow
def test_workers_end_with_their_search(tmp_path: Path) -> None:
    words = ("model=gmf", *SMALL, "tracking=none", "trainer.patience=null", "name=killed")
    words += ("trainer.max_epochs=300", "workers=2", "trials=500", "data.batch_size=256")
    process = start(tmp_path, *words, command="src.tune")
    folder = tmp_path / "outputs" / "tuning" / "killed"
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("given"):
            break
    while len(list(folder.glob("trial-*/history.csv"))) + len(list(folder.glob("trial-*"))) < 1:
        assert process.poll() is None
    process.kill()
    process.communicate()
    # the workers' pipe is closed: their locks go with them
    from filelock import FileLock

    for file in folder.glob(".worker-*"):
        with FileLock(file).acquire(timeout=60):
            pass


def test_help(call: Call) -> None:
    shown = tune(call, "--help")
    assert (shown.status, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 100
    listed = shown.out.split("Options of the search:")[1].split("In outputs")[0]
    stated = re.findall(r"^ +(\w+)=(\S+)", listed, re.MULTILINE)
    cfg = yaml.safe_load(tune(call, "--cfg", "job").out)
    own = yaml.safe_load((CONF / "tune.yaml").read_text())
    assert {name for name, _ in stated} == {*own, "search"} - {"defaults", "hydra"}
    for name, default in stated:
        assert name == "search" or cfg[name] == yaml.safe_load(default)
    for example in re.findall(r"python -m src.tune (model=\w.*)", shown.out.split("Examples:")[1]):
        composed: dict[str, Any] = yaml.safe_load(tune(call, "--cfg", "job", *example.split()).out)
        assert composed["search"]


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "src.tune", "--help"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ}, capture_output=True, text=True, check=True
    )
    assert "best settings" in shown.stdout
    for heavy in ("torch", "pandas", "matplotlib", "optuna", "mlflow", "pytorch_lightning"):
        assert not re.search(rf"\| +{heavy}$", shown.stderr, re.MULTILINE), heavy
