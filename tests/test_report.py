"""`python -m src.report`: from the command line to the page, and the mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands import TINY
from tests.reporting.comparison.runs import PARAMS, judged, tables
from tests.tracking.store import Store

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

FILES = tables([1, 4, 20, 2], [0.5, 0.4], "val/ndcg@10")


def trained_run(store: Store, parent: str | None, factors: int, experiment: str = "toy") -> str:
    metrics = judged(0.1 * factors, 0.1 * factors)
    return store.run(
        experiment,
        parent=parent,
        tags={"data_fingerprint": "f" * 64, "git_commit": "unknown"},
        params={**PARAMS, "model.factors": str(factors)},
        metrics={name.replace("@", "_at_"): value for name, value in metrics.items()},
        files=FILES,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two sweeps, of factors 1 and 2 and of factors 3."""
    store = Store(tmp_path_factory.mktemp("store"))
    first, second = store.sweep("first"), store.sweep("second one")
    store.ids = [trained_run(store, first, factors) for factors in (1, 2)]  # type: ignore[attr-defined]
    trained_run(store, second, 3)
    return store


@pytest.fixture
def ids(store: Store) -> list[str]:
    return store.ids  # type: ignore[attr-defined]


def title_of(page: Path) -> str:
    return page.read_text().partition("<h1>")[2].partition("</h1>")[0]


def test_a_sweep(store: Store, call: Call, tmp_path: Path) -> None:
    out = tmp_path / "new" / "grid.html"
    words = (f"tracking.uri={store.uri}", "sweep=first", f"out={out}")
    finished = call(*words, command="report")
    assert finished.status == 0, finished.err
    assert finished.said("page") == str(out)
    assert "compared 2 runs" in finished.out
    assert title_of(out) == "Sweep first"
    assert "gmf factors=2" in out.read_text()
    assert (out.parent / "grid" / "configurations.csv").is_file()


def test_the_latest_sweep_is_taken_by_itself(store: Store, call: Call, tmp_path: Path) -> None:
    folder = f"hydra.run.dir={tmp_path}/reports"
    finished = call(f"tracking.uri={store.uri}", folder, command="report")
    assert finished.status == 0, finished.err
    assert finished.said("sweep") == "second one, the latest"
    page = Path(finished.said("page"))
    assert page == tmp_path / "reports" / "sweep-second-one.html"
    assert {file.name for file in page.parent.iterdir()} == {
        "sweep-second-one.html",
        "sweep-second-one",
    }


@pytest.mark.parametrize("form", ["{},{}", "[{},{}]", "[{}, '{}']"])
def test_runs(form: str, store: Store, ids: list[str], call: Call, tmp_path: Path) -> None:
    words = f"runs={form.format(ids[0][:8], ids[1])}"
    out = tmp_path / "runs.html"
    finished = call(f"tracking.uri={store.uri}", words, f"out={out}", command="report")
    assert finished.status == 0, finished.err
    assert title_of(out) == f"Runs {ids[0][:8]} {ids[1][:8]}"


def test_an_experiment(store: Store, call: Call, tmp_path: Path) -> None:
    for option in ("experiment=toy", "tracking.experiment=toy"):
        out = tmp_path / f"{option}.html"
        finished = call(f"tracking.uri={store.uri}", option, f"out='{out}'", command="report")
        assert finished.status == 0, finished.err
        assert title_of(out) == "Experiment toy"
        assert "3 runs of 3 configurations" in out.read_text()


def test_real_runs(trained: TrainedHome, call: Call, tmp_path: Path) -> None:
    runs = [
        call(*TINY, "model=gmf", f"seed={seed}", "tracking.experiment=reported", home=trained.home)
        for seed in (0, 1)
    ]
    ids = ",".join(run.run_id for run in runs)
    finished = call(
        f"tracking.uri={trained.uri}", f"runs={trained.run.run_id},{ids}", command="report"
    )
    assert finished.status == 0, finished.err
    page = Path(finished.said("page"))
    html = page.read_text()
    assert "3 runs of 2 configurations, seeds 0 and 1" in html
    assert "ranked among 20 candidates; epoch chosen by NDCG@10 on validation" in html
    names = {file.name for file in page.with_suffix("").iterdir()}
    assert {"epochs-metric.png", "cutoffs-hr.png", "time.png", "pairs-ndcg-at-10.png"} < names


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (("format=latex", "out=page.html"), {"page.html", "page", "page.tex"}),
        (("format=markdown", "out=page.html"), {"page.html", "page", "page.md"}),
        (("out=table.tex",), {"table.tex"}),
        (("out=table.md", "format=markdown"), {"table.md"}),
    ],
)
def test_a_table_to_be_printed(
    words: tuple[str, ...],
    files: set[str],
    store: Store,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    finished = call(f"tracking.uri={store.uri}", "sweep=first", *words, command="report")
    assert finished.status == 0, finished.err
    assert {file.name for file in Path().iterdir()} == files
    (table,) = (file for file in files if file.endswith((".tex", ".md")))
    assert Path(finished.said("table")).name == table
    assert "gmf factors=2" in Path(table).read_text()
    if "page.html" in files:
        assert f'href="{table}"' in Path("page.html").read_text()


def test_a_table_on_the_terminal(store: Store, call: Call, tmp_path: Path) -> None:
    finished = call(f"tracking.uri={store.uri}", "sweep=first", "table=true", command="report")
    assert finished.status == 0, finished.err
    assert finished.out.startswith("Sweep first\n")
    assert "│ gmf factors=2 │" in finished.out
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("sweep=frist",), "no sweep frist; did you mean first? (in {uri}: second one, first)"),
        (("experiment=toi",), "no experiment toi; did you mean toy? (in {uri}: toy)"),
        (("runs=12345",), "runs=12345: at least 8 characters of a run's id"),
        (("runs=1e234567",), "no run 1e234567 in {uri}; make dashboard lists the runs"),
        (("sweep=first", "experiment=toy"), "sweep=... and experiment=... exclude each other: "),
        (("sweep=first", "out=page.pdf"), "out=page.pdf: the file has to end in .html"),
        (("format=pdf",), "format=pdf: Input should be 'latex' or 'markdown'"),
        (("format=latex", "out=table.md"), "format=latex and out=table.md: the table's file ends"),
        (("table=true", "format=latex"), "table=true prints the table and writes no file: leave"),
        (("swep=first",), "no option swep; did you mean sweep"),
    ],
)
def test_mistakes(words: tuple[str, ...], line: str, store: Store, call: Call) -> None:
    finished = call(f"tracking.uri={store.uri}", *words, command="report")
    assert finished.status == 2
    assert finished.err.startswith(f"error: {line.format(uri=store.uri)}")
    assert finished.err.count("\n") == 1


def test_no_store(call: Call, tmp_path: Path) -> None:
    finished = call(command="report")
    assert finished.status == 2
    assert f"no runs yet: {tmp_path}/outputs/mlflow.db is not there" in finished.err


def test_no_sweep_and_several_experiments(
    call: Call, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    uri = f"tracking.uri={store.uri}"
    store.client.search_experiments()
    assert "and no runs" in call(uri, command="report").err
    trained_run(store, None, 1)
    taken = call(uri, command="report")
    assert taken.said("runs") == "all of experiment toy: there is no sweep"
    trained_run(store, None, 1, "another")
    finished = call(uri, command="report")
    assert finished.status == 2
    assert "no sweep in" in finished.err
    assert "toy" in finished.err
    assert "another" in finished.err
    store.sweep("empty")
    assert "Sweep empty has no runs to compare" in call(uri, command="report").err
