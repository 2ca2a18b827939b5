"""`make dashboard` in a real browser: a sweep found, its runs compared, curves and files seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from src.dashboard import find_page
from src.tracking.first_sight import choose_app
from src.tracking.reading import Reader, Record
from tests.commands import TINY, train

if TYPE_CHECKING:
    from benchmarks.browser import Dashboard
    from tests.conftest import TrainedHome

pytestmark = pytest.mark.slow

SWEEP = "two-models"
ALONE = "neumf candidates=20 max_epochs=2 seed 0"
JOBS = f'tags.sweep = "{SWEEP}" and tags.job != ""'
CHOSEN_BY = "best/val/ndcg_at_10"


@pytest.fixture(scope="module")
def url(trained: TrainedHome) -> Iterator[str]:
    """The dashboard's address: one sweep of two runs, and one run beside it."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from benchmarks.browser import installed, serving

    if installed() is None:
        pytest.skip("no chromium or google-chrome on the PATH")
    sweep = train(trained.home, "-m", f"sweep.name={SWEEP}", "model=gmf,mlp", *TINY)
    assert sweep.status == 0, sweep.err
    with serving(trained.home) as url:
        yield url


@pytest.fixture
def dashboard(url: str) -> Iterator[Dashboard]:
    """Opened in a new browser at the experiment's runs; at the end no page has had an error."""
    from benchmarks.browser import Dashboard, browsing

    with browsing(1400, 850) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        dashboard = Dashboard(page, url)
        dashboard.open_experiment("synthetic")
        yield dashboard
        assert errors == []
        assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def runs(url: str, trained: TrainedHome) -> list[Record]:
    """The sweep's, the best on validation first."""
    found = Reader(trained.uri).sweep(SWEEP)
    return sorted(found, key=lambda run: run.metrics["best/val/ndcg@10"], reverse=True)


def test_a_sweep_is_a_tree(dashboard: Dashboard) -> None:
    from benchmarks.browser import until

    until(lambda: {SWEEP, ALONE} <= set(dashboard.names()), True)
    assert not {"gmf", "mlp"} & set(dashboard.names())
    dashboard.search(f'tags.sweep = "{SWEEP}"')
    until(dashboard.names, [SWEEP])
    dashboard.expand(SWEEP)
    until(dashboard.names, [SWEEP, "mlp", "gmf"])


def test_a_sweeps_runs_by_validation(dashboard: Dashboard, runs: list[Record]) -> None:
    from benchmarks.browser import until

    dashboard.search(JOBS)
    until(dashboard.names, [SWEEP])  # folded, as long as nothing else orders the runs
    dashboard.show_columns(["model.name", CHOSEN_BY, "test/hr_at_10"], instead_of=["Dataset"])
    dashboard.sort(CHOSEN_BY)
    until(dashboard.names, [run.name for run in runs])
    assert dashboard.cells("params.`model.name`") == [run.params["model.name"] for run in runs]
    for column, metric in ((CHOSEN_BY, "best/val/ndcg@10"), ("test/hr_at_10", "test/hr@10")):
        shown = [float(cell) for cell in dashboard.cells(f"metrics.`{column}`")]
        assert shown == pytest.approx([run.metrics[metric] for run in runs])


def test_a_link_to_the_same(dashboard: Dashboard, runs: list[Record]) -> None:
    """The runs of a sweep in order, without a click."""
    from benchmarks.browser import until

    dashboard.page.goto(dashboard.link(JOBS, CHOSEN_BY))
    until(dashboard.names, [run.name for run in runs])


def test_curves_of_a_sweep(dashboard: Dashboard) -> None:
    from benchmarks.browser import until

    dashboard.page.goto(dashboard.link(JOBS, CHOSEN_BY))
    until(lambda: sorted(dashboard.names()), ["gmf", "mlp"])
    dashboard.show_charts("^(train/loss|val/ndcg_at_10)$")
    for chart in ("train/loss", "val/ndcg_at_10"):
        lines = dashboard.lines(chart)
        until(lines.count, 2)
        boxes = [line.bounding_box() for line in lines.all()]
        assert all(box is not None and box["width"] > 100 for box in boxes)


def test_two_runs_compared(dashboard: Dashboard, runs: list[Record]) -> None:
    dashboard.expand(SWEEP)
    dashboard.compare([run.name for run in runs])
    for name in ("best/val/ndcg@10", "test/hr@10"):
        shown = [float(value) for value in dashboard.compared(name.replace("@", "_at_"))]
        assert shown == pytest.approx([run.metrics[name] for run in runs], abs=5e-4)
    different = dashboard.page.get_by_role("row").filter(has_text="model.name")
    texts = different.get_by_role("cell").all_inner_texts()
    assert [text.strip() for text in texts] == [run.name for run in runs]


def test_curves_and_files_of_a_run(dashboard: Dashboard) -> None:
    from benchmarks.browser import until

    dashboard.expand(SWEEP)
    dashboard.open_run("mlp", "Model metrics")
    dashboard.search_charts("^val/ndcg_at_10$")
    until(dashboard.lines("ndcg_at_10").count, 1)
    dashboard.page.get_by_role("tab", name="Artifacts").click()
    dashboard.open_artifact("curves.png")
    until(lambda: dashboard.picture("curves.png") > 0, True)
    dashboard.open_artifact("config.yaml")
    dashboard.page.get_by_text("max_epochs").wait_for()


def test_a_sweeps_note_and_report(dashboard: Dashboard, runs: list[Record]) -> None:
    from benchmarks.browser import until

    dashboard.open_run(SWEEP)
    best = f"{runs[0].metrics['test/ndcg@10']:.4f}"
    dashboard.page.get_by_role("cell", name=best).first.wait_for()
    dashboard.page.get_by_role("tab", name="Artifacts").click()
    dashboard.open_artifact("report", "epochs-metric.png")
    until(lambda: dashboard.picture("report/epochs-metric.png") > 0, True)
    dashboard.open_artifact("report.html")
    report = dashboard.page.frame_locator("iframe")
    report.get_by_role("heading", level=1).wait_for()
    pictures = report.locator("img").evaluate_all("all => all.map(one => one.naturalWidth > 0)")
    assert pictures
    assert all(pictures)


def test_a_sweep_is_a_view(dashboard: Dashboard, runs: list[Record]) -> None:
    """The sweep itself saves it: columns, order and curves at two clicks."""
    from benchmarks.browser import until

    dashboard.open_view(SWEEP)
    until(dashboard.names, [run.name for run in runs])
    assert dashboard.cells("params.`model.name`") == [run.params["model.name"] for run in runs]
    shown = [float(cell) for cell in dashboard.cells("metrics.`test/hr_at_10`")]
    assert shown == pytest.approx([run.metrics["test/hr@10"] for run in runs])
    dashboard.page.locator("label:has(input[value=CHART])").click()
    until(dashboard.lines("val/ndcg_at_10").count, 2)


def test_the_address_leads_to_the_sweep(
    url: str, dashboard: Dashboard, trained: TrainedHome, runs: list[Record]
) -> None:
    """Four metrics fit on a usual screen, and every run has a colour of its own."""
    from benchmarks.browser import until

    page = dashboard.page
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(find_page(trained.uri, url))
    until(dashboard.names, [run.name for run in runs])
    for metric in (CHOSEN_BY, "test/ndcg_at_10", "test/hr_at_10", "fit/seconds"):
        box = page.locator(f'.ag-header-cell[col-id="metrics.`{metric}`"]').bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1440
    page.locator("label:has(input[value=CHART])").click()
    lines = dashboard.lines("val/ndcg_at_10")
    until(lines.count, 2)
    colors = lines.evaluate_all("all => all.map(line => getComputedStyle(line).stroke)")
    assert len(set(colors)) == 2


def test_all_runs_are_a_view(dashboard: Dashboard) -> None:
    from benchmarks.browser import until

    dashboard.open_view("all runs of synthetic")
    until(lambda: sorted(dashboard.names()), ["gmf", "mlp", ALONE])


def test_a_run_s_note_opens_its_lists(dashboard: Dashboard) -> None:
    dashboard.open_run(ALONE)
    with dashboard.page.context.expect_page() as opened:
        dashboard.page.get_by_role("link", name="what it recommends").click()
    lists = opened.value.frame_locator("iframe")
    lists.get_by_role("heading", level=1).wait_for()
    assert lists.locator("tr").count() == 21


def test_the_first_sight(url: str) -> None:
    """The bare address in a browser that was never here: no assistant, no language models."""
    from benchmarks.browser import browsing

    if not choose_app():
        pytest.skip("the package was installed before MLflow's server could find its app")
    with browsing(1440, 900) as page:
        page.goto(url)
        page.get_by_role("link", name="synthetic", exact=True).wait_for()
        assert page.url.endswith("/#/experiments")
        assert page.get_by_role("button", name="Close", exact=True).count() == 0
        stored = page.evaluate("key => localStorage.getItem(key)", "mlflow.workflowType_v1")
        assert stored == '"machine_learning"'
