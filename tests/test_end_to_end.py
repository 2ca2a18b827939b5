"""Whole runs, from the command line to what lies in the folder at the end."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import torch

from src.evaluation.catalogue import ITEM_GROUPS, USER_GROUPS
from tests.commands import ONE_THREAD, SMALL_DATA, TINY, finish, start

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

EPOCH_LINE = re.compile(
    r"epoch +\d+/2  loss 0\.\d{4}  val HR@10 [01]\.\d{4}  val NDCG@10 [01]\.\d{4}"
    r"  \d+\.\d s  [\d,]+k examples/s"
)
TIMES = {
    "fit/seconds",
    "refit/seconds",
    "fit/examples_per_second",
    "test/seconds",
    "test/full/seconds",
}


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())


def repeatable(folder: Path) -> dict[str, float]:
    return {name: value for name, value in metrics(folder).items() if name not in TIMES}


def test_piped_output_is_plain_lines(trained: TrainedHome) -> None:
    out = trained.run.out
    assert "\r" not in out
    assert "\x1b" not in out
    epochs = [line for line in out.splitlines() if line.startswith("epoch")]
    assert len(epochs) == 2
    assert all(EPOCH_LINE.fullmatch(line) for line in epochs), epochs
    assert trained.run.err == ""


def test_the_table_shows_what_metrics_json_holds(trained: TrainedHome) -> None:
    out, measured = trained.run.out, metrics(trained.run.folder)
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for cells in (line.split("│") for line in out.splitlines() if line.startswith("│"))
    }
    named = {"validation": "val", "test": "test", "test, all unseen": "test/full"}
    assert set(rows) == set(named)
    for label, part in named.items():
        expected = [f"{measured[f'{part}/{name}@10']:.4f}" for name in ("hr", "ndcg", "mrr")]
        assert rows[label][:3] == expected
    assert rows["test, all unseen"][3:] == [f"{measured['test/full/coverage@10']:.4f}"]
    assert "ranked among 20 candidates; epoch chosen by NDCG@10 on validation" in out
    assert f"best epoch {measured['fit/best_epoch']} of 2, " in out


def test_everything_lies_in_the_folder(trained: TrainedHome) -> None:
    folder = trained.run.folder
    assert folder.parent == trained.home / "outputs" / "runs"
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        "SHA256SUMS",
        "checkpoints",
        "config.yaml",
        "curves.png",
        "groups.svg",
        "history.csv",
        "metrics.json",
        "per_user.parquet",
        "provenance.json",
        "ranks.parquet",
        "recommended.html",
        "started.json",
        "train.log",
    }
    checkpoints = {path.name for path in (folder / "checkpoints").iterdir()}
    assert checkpoints == {"best.ckpt", "last.ckpt"}
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_are_flat_finite_numbers(trained: TrainedHome) -> None:
    measured = metrics(trained.run.folder)
    by_epoch = {f"{m}@{k}" for m in ("hr", "ndcg", "mrr") for k in (1, 10)}
    every = by_epoch | {f"{m}@{k}" for m in ("map", "precision", "recall", "f1") for k in (1, 10)}
    for part, expected in (("val", by_epoch), ("test", every), ("test/full", every)):
        assert {f"{part}/{name}" for name in expected} < set(measured)
        assert all(0 <= measured[f"{part}/{name}"] <= 1 for name in expected)
        assert measured[f"{part}/hr@1"] == measured[f"{part}/ndcg@1"]
    assert len([name for name in measured if name.startswith("val/")]) == len(by_epoch)
    for kind in ("unbiased-rank", "bias-variance"):
        assert {f"test/{kind}/{name}" for name in by_epoch} < set(measured)
    for name in ("coverage", "gini", "popularity", "novelty", "personalization", "ild-cosine"):
        assert f"test/full/{name}@10" in measured
    groups = {name for name in measured if name.startswith(("test/users-", "test/items-"))}
    assert groups == {
        f"test/{group}/{name}@10"
        for group in (*USER_GROUPS, *ITEM_GROUPS)
        for name in ("hr", "ndcg")
    }
    assert set(measured) > TIMES - {"refit/seconds"}
    assert all(math.isfinite(value) for value in measured.values())
    assert measured["fit/epochs"] == 2
    assert measured["fit/best_epoch"] in (1, 2)


def test_config_is_resolved(trained: TrainedHome) -> None:
    text = (trained.run.folder / "config.yaml").read_text()
    assert "${" not in text
    assert "n_interactions: 6000" in text


def test_per_user_metrics_average_to_the_run_s(trained: TrainedHome) -> None:
    table = pd.read_parquet(trained.run.folder / "per_user.parquet")
    assert len(table) == 200
    measured = metrics(trained.run.folder)
    for name in ("hr@1", "hr@10", "ndcg@10", "mrr@10"):
        assert table[name].mean() == pytest.approx(measured[f"test/{name}"], abs=1e-12)


def test_history_has_a_row_for_each_epoch(trained: TrainedHome) -> None:
    history = pd.read_csv(trained.run.folder / "history.csv")
    measured = metrics(trained.run.folder)
    assert list(history["epoch"]) == [0, 1]
    best = history.loc[measured["fit/best_epoch"] - 1]
    assert best["val/ndcg@10"] == history["val/ndcg@10"].max() == measured["val/ndcg@10"]


def test_the_same_command_gives_the_same_numbers_to_the_last_bit(
    trained: TrainedHome, call: Call
) -> None:
    again = call(*TINY, "tracking=none")
    assert again.status == 0
    assert repeatable(again.folder) == repeatable(trained.run.folder)
    other = call(*TINY, "tracking=none", "seed=1")
    assert repeatable(other.folder) != repeatable(again.folder)


def test_epochs_after_the_best_one_count(call: Call) -> None:
    # testing takes the best checkpoint's state back, which once cut the history to that epoch
    diverging = ("model=gmf", "optimizer.lr=1", "trainer.max_epochs=30", "trainer.patience=3")
    run = call(*TINY, "tracking=none", *diverging)
    measured = metrics(run.folder)
    assert measured["fit/epochs"] == measured["fit/best_epoch"] + 3
    assert measured["fit/epochs"] == len(pd.read_csv(run.folder / "history.csv"))
    assert measured["fit/epochs"] == run.out.count("\nepoch ")


def test_selection_on_test_says_so(call: Call) -> None:
    run = call(*TINY, "tracking=none", "protocol=ncf2017")
    measured = metrics(run.folder)
    assert not [name for name in measured if name.startswith("val/")]
    assert "epoch chosen by HR@10 on TEST (optimistic)" in run.out
    assert "200 users, 100 items: 5800 training, 0 validation and 200 test" in run.out
    history = pd.read_csv(run.folder / "history.csv")
    assert history["test/hr@10"].max() == measured["test/hr@10"]


def test_pretraining_is_three_runs_in_one_command(call: Call, tmp_path: Path) -> None:
    run = call(*TINY, "tracking=none", "experiment=neumf-pretrained", "trainer.max_epochs=1")
    assert run.status == 0, run.err
    stages = [line for line in run.out.splitlines() if line.startswith("pre-training")]
    assert stages == ["pre-training gmf", "pre-training mlp"]
    names = ("pretrain-gmf", "pretrain-mlp", ".")
    folders = [tmp_path / "train-0" / name for name in names]
    assert all("test/hr@10" in metrics(folder) for folder in folders)
    assert f"gmf: {folders[0]}" in (folders[2] / "config.yaml").read_text()
    optimizers = [(folder / "config.yaml").read_text() for folder in folders]
    assert ["training.adam.Adam" in text for text in optimizers] == [True, True, False]
    # its first epoch judges the fusion as it starts: half of each part (equation 13)
    gmf, mlp, fused = [
        torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for folder in folders
    ]
    (output,) = (name for name in fused if name.endswith("output.weight"))
    parts = torch.cat([gmf[output], mlp[output]], 1)
    assert torch.equal(fused[output], parts / 2)


def test_processes_started_at_once_prepare_the_data_once(tmp_path: Path) -> None:
    at_once(3, tmp_path)


@pytest.mark.slow
def test_eight_processes_started_at_once(tmp_path: Path) -> None:
    at_once(8, tmp_path)


def at_once(n: int, home: Path) -> None:
    """Starts n runs on a fresh home: no database, no experiment, no prepared data."""
    from mlflow.tracking import MlflowClient

    processes = [start(home, *TINY, f"seed={seed}") for seed in range(n)]
    finished = [finish(process) for process in processes]
    assert [run.status for run in finished] == [0] * n, [run.err for run in finished]

    (prepared,) = (home / "outputs" / "prepared").glob("*/")
    assert not prepared.name.startswith(".")
    assert sum("preparing synthetic" in run.out for run in finished) == 1

    client = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db")
    experiments = {experiment.name: experiment for experiment in client.search_experiments()}
    assert set(experiments) - {"Default"} == {"synthetic"}
    runs = client.search_runs([experiments["synthetic"].experiment_id])
    assert sorted(run.data.params["seed"] for run in runs) == [str(seed) for seed in range(n)]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_evaluation_gives_the_run_s_numbers_back(trained: TrainedHome, call: Call) -> None:
    run = metrics(trained.run.folder)
    tested = {n: v for n, v in repeatable(trained.run.folder).items() if n.startswith("test/")}
    by_folder = call(f"run={trained.run.folder}", "trainer.threads=1", command="evaluate")
    by_id = call(
        f"run={trained.run.run_id}", "trainer.threads=1", command="evaluate", home=trained.home
    )
    for evaluation in (by_folder, by_id):
        assert evaluation.status == 0, evaluation.err
        assert repeatable(evaluation.folder) == tested
    assert metrics(trained.run.folder) == run


def test_evaluation_against_other_candidates(trained: TrainedHome, call: Call) -> None:
    # more candidates can only push a target down
    hits = [metrics(trained.run.folder)["test/hr@10"]]
    for candidates, words in ((30, "30 candidates"), ("all", "the whole catalogue")):
        evaluation = call(
            f"run={trained.run.folder}", f"data.candidates={candidates}", "trainer.threads=1",
            command="evaluate",
        )  # fmt: skip
        assert f"ranked among {words};" in evaluation.out
        hits.append(metrics(evaluation.folder)["test/hr@10"])
    assert all(fewer > more for fewer, more in pairwise(hits)), hits


def test_evaluation_of_an_unknown_run(trained: TrainedHome, call: Call) -> None:
    finished = call("run=0123abc", command="evaluate", home=trained.home)
    assert finished.status == 2
    runs = trained.home / "outputs" / "runs"
    assert finished.err == (
        f"error: no run 0123abc: neither a folder, nor a name in {runs}, "
        f"nor an MLflow run in {trained.uri}\n"
    )


@pytest.mark.parametrize(
    "choice",
    [
        "optimizer=sgd",
        "optimizer=adagrad",
        "optimizer=rmsprop",
        "scheduler=cosine",
        "scheduler=exponential",
        "scheduler=step",
        "scheduler=plateau",
        "loss=squared",
        "data.split=ratio",
        "data.split=global-time",
        "data.popularity_power=0.75",
        "data.candidates=all",
        "l2=0.001",
        "gradient_clip=1.0",
        "trainer.precision=bf16-mixed",
        "protocol=ncf2017",
    ],
)
def test_every_choice_trains(call: Call, choice: str) -> None:
    ended = call(*SMALL_DATA, *ONE_THREAD, "trainer.max_epochs=1", "tracking=none", choice)
    assert ended.status == 0, ended.err
    metrics = json.loads((ended.folder / "metrics.json").read_text())
    assert 0 < metrics["test/hr@10"] <= 1


def test_validation_over_all_draws(call: Call) -> None:
    run = call(*TINY, "tracking=none", "model=gmf", "protocol=leave-one-out-latest")
    assert run.status == 0, run.err
    metrics = json.loads((run.folder / "metrics.json").read_text())
    users = pd.read_parquet(run.folder / "validation.parquet")
    assert users["user"].nunique() == len(users) == 200
    assert users["ndcg@10"].mean() == pytest.approx(metrics["val/ndcg@10"])
    assert users["ndcg@10"].std() / 200**0.5 == pytest.approx(metrics["val/ndcg@10/se"])
    # an expectation: with 20 drawn of some 70 negatives few are certain
    assert ((users["hr@10"] > 0) & (users["hr@10"] < 1)).mean() > 0.5
    assert f"standard error of NDCG@10 {metrics['val/ndcg@10/se']:.4f}" in run.out
