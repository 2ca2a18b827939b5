"""The page as a browser shows it, also of odd sets of runs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from src.reporting.comparison.comparison_page import write_report
from src.tracking.reading import Record
from tests.reporting.comparison.runs import Shelf, judged, record, tables
from tests.reporting.pictures.files import png_size

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EPOCHS = [0.6, 0.5, 0.4]


def ranks(seed: int, quality: float) -> list[int]:
    return np.random.default_rng(seed).geometric(quality, 60).clip(max=100).tolist()


def grid(monitor: str = "val/ndcg@10", **more: str) -> list[Record]:
    return [
        record(
            judged(test, test - 0.01, **{monitor.replace("val", "best/val"): test}),
            model__name=model,
            model__factors=factors,
            seed=seed,
            protocol__monitor=monitor,
            **more,
        )
        for model, better in (("gmf", 0.0), ("neumf", 0.05))
        for factors in (8, 16)
        for seed in (0, 1)
        for test in [0.3 + better + factors / 100 + seed / 1000]
    ]


def shelf(runs: list[Record]) -> Shelf:
    return Shelf(
        {
            run.run_id: tables(
                ranks(i, run.metrics.get("test/ndcg@10", 0.3)),
                EPOCHS,
                run.params["protocol.monitor"],
            )
            for i, run in enumerate(runs)
        }
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium or google-chrome on the PATH")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=root)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[Path, int], Page]]:
    """Opens a file at a width, and afterwards checks that it asked for nothing and said nothing."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_page(file: Path, width: int) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser(width: int, opened: Callable[[Path, int], Page], tmp_path: Path) -> None:
    runs = grid()
    write_report(shelf(runs), runs, "A sweep", tmp_path / "page.html")
    page = opened(tmp_path / "page.html", width)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    pictures = page.evaluate(
        "[...document.images].map(one => [one.complete, one.naturalWidth, one.alt])"
    )
    assert len(pictures) == 8
    assert all(complete and wide > 0 and len(alt) > 20 for complete, wide, alt in pictures)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.title() == "A sweep"

    names = page.locator("table.sorted tbody th")
    assert names.first.inner_text() == "neumf factors=16 ★"
    page.get_by_role("button", name="parameters").click()
    page.get_by_role("button", name="HR@10").click()
    page.get_by_role("button", name="HR@10").click()
    assert names.first.inner_text() == "gmf factors=8"
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("HR@10")


def test_groups(tmp_path: Path) -> None:
    groups = ("users-q1", "users-q4", "items-head", "items-tail")
    runs = [
        record(
            judged(0.4, 0.3, **{f"test/{g}/{m}@10": 0.1 for g in groups for m in ("hr", "ndcg")}),
            model__name=model,
        )
        for model in ("gmf", "ease")
    ]
    page, *files = write_report(Shelf({}), runs, "Groups", tmp_path / "page.html")
    assert {file.name for file in files if file.name.startswith("groups")} == {
        "groups.csv",
        "groups-users-ndcg.png",
        "groups-items-ndcg.png",
        "groups-users-hr.png",
        "groups-items-hr.png",
    }
    html = page.read_text()
    assert "NDCG@10 by popularity. head: ease leads with .1000; tail: ease leads" in html
    assert "The same for HR@10" in html


def test_what_is_written(tmp_path: Path) -> None:
    runs = grid()
    page, *files = write_report(shelf(runs), runs, "A <sweep>", tmp_path / "page.html")
    assert sorted(file.name for file in files) == [
        "by-factors.csv",
        "by-factors.png",
        "configurations.csv",
        "cutoffs-hr.png",
        "cutoffs-ndcg.png",
        "cutoffs.csv",
        "epochs-loss.png",
        "epochs-metric.png",
        "epochs.csv",
        "pairs-hr-at-10.csv",
        "pairs-hr-at-10.png",
        "pairs-ndcg-at-10.csv",
        "pairs-ndcg-at-10.png",
        "runs.csv",
        "time.png",
    ]
    assert {file.parent for file in files} == {tmp_path / "page"}
    assert all(png_size(file)[0] > 200 for file in files if file.suffix == ".png")
    html = page.read_text()
    for file in files:
        assert f'href="page/{file.name}"' in html
    assert "<h1>A &lt;sweep&gt;</h1>" in html
    assert "8 runs of 4 configurations, seeds 0 and 1" in html
    assert "ranked among 99 candidates; epoch chosen by NDCG@10 on validation" in html
    assert "neumf factors=16 has the best test NDCG@10: .5105 ± .0007." in html
    assert '<td data-order="0.5105" class="best">.5105 ± .0007</td>' in re.sub(
        r'order="(\d\.\d{4})\d*"', r'order="\1"', html
    )
    table = pd.read_csv(tmp_path / "page" / "pairs-ndcg-at-10.csv")
    assert len(table) == 6
    assert set(table["a"]) < {
        "gmf factors=8",
        "gmf factors=16",
        "neumf factors=8",
        "neumf factors=16",
    }
    assert len(pd.read_csv(tmp_path / "page" / "runs.csv")) == 8


def page_of(runs: list[Record], reader: Shelf, folder: Path) -> tuple[str, set[str]]:
    """Its text without pictures, and the names of the files beside it."""
    page, *files = write_report(reader, runs, "odd", folder / "odd.html")
    text = re.sub(r"data:image[^\"]*", "", page.read_text())
    return " ".join(text.split()), {file.name for file in files}


def test_one_run(tmp_path: Path) -> None:
    runs = [record(judged(0.4, 0.3))]
    text, files = page_of(runs, shelf(runs), tmp_path)
    assert "gmf has a test NDCG@10 of .4000." in text
    assert "1 run of 1 configuration, seed 0" in text
    assert "Nothing to test" in text
    assert {"epochs-metric.png", "cutoffs-hr.png"} < files
    assert not {"time.png", "pairs-ndcg-at-10.png"} & files


def test_only_failed_runs(tmp_path: Path) -> None:
    error = {"error": "model.factors=<abc>: Input should be a valid integer"}
    runs = [record(status="FAILED", tags=error), record(status="KILLED", seed=1)]
    text, files = page_of(runs, Shelf({}), tmp_path)
    assert "No run has finished" in text
    assert "gmf, seed 0</strong> failed: model.factors=&lt;abc&gt;: Input should be" in text
    assert "gmf, seed 1</strong> cut off" in text
    assert files == {"not-finished.csv"}


def test_runs_without_files(tmp_path: Path) -> None:
    runs = grid()
    text, files = page_of(runs, Shelf({}), tmp_path)
    assert "Nothing to test" in text
    assert files == {
        "configurations.csv",
        "runs.csv",
        "by-factors.csv",
        "by-factors.png",
        "time.png",
    }


def test_runs_without_anything(tmp_path: Path) -> None:
    runs = [record(model__name="gmf"), record(model__name="mlp")]
    text, files = page_of(runs, Shelf({}), tmp_path)
    assert "2 runs of 2 configurations" in text
    assert files == {"configurations.csv", "runs.csv"}


def test_models_fitted_in_one_go(tmp_path: Path) -> None:
    runs = [record(judged(0.4, 0.3), model__name=name) for name in ("ease", "itemknn")]
    files = {run.run_id: tables(ranks(0, 0.3), [np.nan], "val/ndcg@10") for run in runs}
    text, names = page_of(runs, Shelf(files), tmp_path)
    assert "fitted in one go: there are no curves" in text
    assert "epochs-metric.png" not in names
    assert {"pairs-ndcg-at-10.png", "cutoffs-hr.png"} < names
    # they rank alike
    assert "Different by both tests at p &lt; .05: 0 of 1." in text

    both = [*runs, record(judged(0.4, 0.3), model__name="mf")]
    files[both[2].run_id] = tables(ranks(1, 0.3), EPOCHS, "val/ndcg@10")
    assert {"epochs-metric.png", "epochs-loss.png"} < page_of(both, Shelf(files), tmp_path)[1]


def test_ratings(tmp_path: Path) -> None:
    runs = grid(monitor="val/rmse", protocol__name="ratings", data__candidates="all")
    for run in runs:
        run.metrics.update({"test/rmse": 1 - run.metrics["test/ndcg@10"] / 2})
    text, files = page_of(runs, shelf(runs), tmp_path)
    assert "neumf factors=16 has the best test RMSE: .7448" in text
    assert "epoch chosen by RMSE on validation" in text
    assert "Runs keep no errors of ratings by user, so the ranking is tested." in text
    assert {"epochs-metric.png", "pairs-ndcg-at-10.png"} < files


def test_epochs_chosen_on_test(tmp_path: Path) -> None:
    runs = grid(monitor="test/hr@10", protocol__name="ncf2017")
    text, files = page_of(runs, shelf(runs), tmp_path)
    assert 'class="note wrong">Epochs were chosen on TEST' in text
    assert "★" not in text
    assert "epochs-metric.png" in files


def test_what_can_not_be_compared(tmp_path: Path) -> None:
    runs = [
        *grid(),
        record(judged(0.9, 0.9), data__candidates="all", tags={"data_fingerprint": "e" * 64}),
    ]
    text, _ = page_of(runs, shelf(runs), tmp_path)
    assert text.count("are on this page") == 1
    assert "Runs with different data and candidates are on this page" in text
    assert "has the best" not in text
    assert 'class="best"' not in text
    assert "Only 4 configurations of the same data, candidates and protocol are tested." in text


def test_one_configuration_on_each_of_two_data_sets(tmp_path: Path) -> None:
    runs = [
        record(judged(0.4, 0.3)),
        record(judged(0.5, 0.4), data__name="other", tags={"data_fingerprint": "e" * 64}),
    ]
    text, _ = page_of(runs, shelf(runs), tmp_path)
    why = "no two configurations have the same data, candidates and protocol."
    assert f"Nothing to test: {why}" in text
    assert "nothing quicker is as good" not in text


def test_what_all_have_stands_once(tmp_path: Path) -> None:
    more = {"data__batch_size": 256, "optimizer__lr": 0.001, "trainer__max_epochs": 20}
    runs = [record(judged(0.4, 0.3), model__factors=n, **more) for n in (8, 16)]
    text, _ = page_of(runs, Shelf({}), tmp_path)
    assert "loss BCE, rate 0.001, batch size 256, negatives 4, epochs at most 20" in text


def test_settings_have_columns_where_names_would_be_long(tmp_path: Path) -> None:
    runs = [
        record(judged(0.4, 0.3), model__factors=n, model__layers=f"[{8 * n}, {4 * n}, {2 * n}]")
        for n in (64, 128)
    ]
    text, _ = page_of(runs, Shelf({}), tmp_path)
    assert "<button>factors</button>" in text
    assert 'data-order="[512,256,128]">[512,256,128]</td>' in text
    assert '<th scope="row">gmf #1' in text


def test_trials_of_a_search_stand_apart(tmp_path: Path) -> None:
    tags = {"trial": "0", "sweep": "tune-gmf"}
    trials = [
        record({"best/val/ndcg@10": value}, tags=tags, model__factors=factors)
        for factors, value in ((4, 0.31), (32, 0.37))
    ]
    runs = [*grid(), *trials]
    text, _ = page_of(runs, shelf(runs), tmp_path)
    assert "8 runs of 4 configurations" in text
    assert '<th scope="row">tune-gmf</th><td>2</td><td>2</td><td>.3700</td><td>NDCG@10</td>' in text
    alone, _ = page_of(trials, Shelf({}), tmp_path / "alone")
    assert "2 runs of 2 configurations" in alone


def test_what_seeds_make_of_a_difference_stands_beside_the_tests(tmp_path: Path) -> None:
    runs = [
        record(judged(value, 0.3), model__name=model, seed=seed)
        for model, values in (("gmf", (0.41, 0.40)), ("mlp", (0.40, 0.42)), ("ease", (0.39,)))
        for seed, value in enumerate(values)
    ]
    text, _ = page_of(runs, shelf(runs), tmp_path)
    # mlp is above gmf by -.01 and by +.02
    assert re.search(r"(mlp − gmf.*−.0100 to \+.0200|gmf − mlp.*−.0200 to \+.0100), 2 seeds", text)
    assert re.search(r"mlp − ease.*\+.0100 to \+.0300, 2 seeds", text)


def test_runs_that_ran_twice_and_other_versions(tmp_path: Path) -> None:
    runs = [
        record(judged(0.2, 0.2), tags={"code_version": "one"}),
        record(judged(0.4, 0.3), tags={"code_version": "one"}),
        record(judged(0.4, 0.3), tags={"code_version": "two"}, model__name="mlp"),
    ]
    text, _ = page_of(runs, Shelf({}), tmp_path)
    assert "1 earlier run with the same options and seed left out: the latest counts." in text
    assert "The runs are of 2 versions of the code" in text
    assert ".4000" in text
    assert ".2000" not in text


def test_more_configurations_than_lines_and_cells(tmp_path: Path) -> None:
    runs = [
        record(judged(0.3 + i / 100, 0.3 + i / 100), model__factors=2**i, model__name=f"model{j}")
        for i in range(9)
        for j in range(2)
    ]
    text, _ = page_of(runs, shelf(runs), tmp_path)
    assert "12 of 18 configurations: the best of each model, then the next, by NDCG@10" in text
    assert "16 configurations are shown: the best of each model" in text
    assert len(pd.read_csv(tmp_path / "odd" / "pairs-ndcg-at-10.csv")) == 18 * 17 / 2
