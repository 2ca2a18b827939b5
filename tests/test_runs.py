"""`python -m src.runs`: the list, the words that choose, and what is cleared away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from src.run.lease import holding
from src.tracking.reading import Reader
from tests.tracking.store import Store

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "outputs").mkdir()
    return Store(tmp_path / "outputs")


def add(store: Store, folder: str, parent: str | None = None, **more: str) -> str:
    """A run of GMF with a file in its folder below the outputs."""
    place = store.folder / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.yaml").write_text("seed: 0\n")
    tags = {"model": "gmf", "data": "ml-1m", "output_folder": str(place), **more}
    tags["overrides"] = f"model={tags['model']} data=ml-1m l2=0.1"
    metrics = {"best/val/hr_at_10": 0.71, "val/hr_at_10": 0.6, "test/ndcg_at_10": 0.4234}
    name, status = f"{tags['model']} seed=0", tags.pop("status", "FINISHED")
    return store.run(parent=parent, name=name, status=status, tags=tags, metrics=metrics)


def left(store: Store) -> set[str]:
    return {record.run_id for record in Reader(store.uri).every()}


def test_the_list(store: Store, call: Call) -> None:
    first = add(store, "runs/one")
    sweep = store.sweep("grid")
    second = add(store, "jobs/two", sweep, sweep="grid", model="neumf", status="FAILED")
    shown = call(f"tracking.uri={store.uri}", command="runs")
    assert shown.status == 0, shown.err
    parts, heading, *lines = shown.out.splitlines()
    assert parts.split() == ["val", "val", "test", "test"]
    assert heading.split()[5:9] == ["HR@10", "NDCG@10", "HR@10", "NDCG@10"]
    assert [line.split()[0] for line in lines] == [second[:8], first[:8]]
    assert lines[0].split()[-2:] == ["failed", "outputs/jobs/two"]
    assert lines[0].split()[3:6] == ["neumf", "ml-1m", "seed=0"]
    assert lines[1].split()[3:6] == ["gmf", "ml-1m", "l2=0.1"]
    # of what has a curve the selected epoch's value; nothing where nothing was measured
    assert lines[1].split()[6:] == [".7100", ".4234", "finished", "outputs/runs/one"]


def test_words_and_most(store: Store, call: Call) -> None:
    ids = [add(store, f"runs/{name}", model=name) for name in ("gmf", "neumf", "mlp")]
    uri = f"tracking.uri={store.uri}"
    shown = call(uri, "NeuMF", "ml-1m", "finished", command="runs")
    assert [line[:8] for line in shown.out.splitlines()[2:]] == [ids[1][:8]]
    assert call(uri, "neumf", "ml-20m", command="runs").out == "no such runs\n"
    shown = call(uri, "most=1", command="runs")
    assert [line[:8] for line in shown.out.splitlines()[2:3]] == [ids[2][:8]]
    assert shown.out.splitlines()[-1] == "and 2 earlier runs: most=null lists them all"


def test_what_failed_is_shown_then_removed(store: Store, call: Call, tmp_path: Path) -> None:
    good, bad = add(store, "runs/good"), add(store, "runs/bad", status="FAILED")
    other = add(store, "runs/other", model="neumf", status="FAILED")
    outside = tmp_path / "mine"
    outside.mkdir()
    away = store.run(status="FAILED", tags={"model": "gmf", "output_folder": str(outside)})
    words = (f"tracking.uri={store.uri}", "clean=failed", "gmf")
    shown = call(*words, command="runs")
    assert shown.status == 0, shown.err
    assert "would remove 2 records and 3 folders, " in shown.out
    assert (store.folder / "runs" / "bad").exists()
    assert left(store) == {good, bad, other, away}

    shown = call(*words, "dry_run=false", command="runs")
    assert "removed 2 records and 3 folders, " in shown.out
    assert left(store) == {good, other}
    assert {folder.name for folder in (store.folder / "runs").iterdir()} == {"good", "other"}
    assert not (store.folder / "artifacts" / bad).exists()
    assert outside.is_dir()
    assert call(*words, command="runs").out == "nothing to remove: no failed runs like that\n"


def test_what_is_in_use_stays(store: Store, call: Call) -> None:
    cut, running = add(store, "runs/cut", status="KILLED"), add(store, "runs/on", status="RUNNING")
    held = add(store, "runs/held", status="KILLED")
    lost = add(store, "runs/lost", status="RUNNING")
    (store.folder / "runs/lost/config.yaml").unlink()
    (store.folder / "runs/lost").rmdir()
    # failed at first, then finished by the same command again
    tried = add(store, "jobs/same", status="KILLED")
    again = add(store, "jobs/same")
    # it has a pre-training stage that other runs may start from
    outer = add(store, "runs/outer", status="KILLED")
    stage = add(store, "runs/outer/pretrain-gmf", stage="gmf")
    with holding(store.folder / "runs" / "held", wait=False):
        words = (f"tracking.uri={store.uri}", "clean=unfinished", "dry_run=false")
        shown = call(*words, command="runs")
    assert shown.status == 0, shown.err
    assert "pre-training" not in shown.out
    assert left(store) == {running, held, again, stage}
    assert {cut, lost, tried, outer}.isdisjoint(left(store))
    assert {folder.name for folder in (store.folder / "runs").iterdir()} == {"on", "held", "outer"}
    assert (store.folder / "jobs" / "same").is_dir()


def test_a_sweep_goes_with_its_last_job(store: Store, call: Call) -> None:
    half = store.run(status="FAILED", tags={"kind": "sweep"}, name="half")
    good, bad = add(store, "jobs/a", half), add(store, "jobs/b", half, status="FAILED")
    none = store.run(status="FAILED", tags={"kind": "sweep"}, name="none")
    add(store, "jobs/c", none, status="FAILED")
    shown = call(f"tracking.uri={store.uri}", "clean=failed", "dry_run=false", command="runs")
    assert shown.status == 0, shown.err
    assert left(store) == {half, good}
    assert bad not in left(store)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("clean=all",), "clean=all: Input should be 'failed' or 'unfinished'"),
        (("most=0",), "most=0: Input should be greater than or equal to 1"),
        (("mots=3",), "no option mots; did you mean most?"),
    ],
)
def test_mistakes(words: tuple[str, ...], line: str, store: Store, call: Call) -> None:
    finished = call(f"tracking.uri={store.uri}", *words, command="runs")
    assert finished.status == 2
    assert finished.err.startswith(f"error: {line}")


def test_a_real_run(trained: TrainedHome, call: Call) -> None:
    shown = call(f"tracking.uri={trained.uri}", trained.run.run_id[:8], command="runs")
    assert shown.status == 0, shown.err
    (line,) = shown.out.splitlines()[2:]
    assert line.split()[0] == trained.run.run_id[:8]
    assert line.rstrip().endswith(trained.run.folder.name)
