"""`python -m benchmarks.screenshots sweep=NAME`: the dashboard and the report, as in docs/.

The sweep is one of the embedded store's; its table and its report lie in outputs/sweeps/NAME.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from benchmarks.browser import Dashboard, browsing, serving, until
from benchmarks.commands import run_main
from src.config.paths import HOME, OUTPUTS
from src.errors import UserError
from src.tracking.reading import Reader, Record

DOCS = Path(__file__).resolve().parents[1] / "docs"

WIDTH, HEIGHT = 1400, 850
ROW = 32  # pixels, of MLflow's table
AROUND_ROWS = 310
COMPARISON = 1080
REPORT = (1200, 1500)
PHONE = (390, 1200)
LARGE = 250_000  # bytes

CHOSEN_BY = "best/val/ndcg_at_10"
COLUMNS = ("model.name", "model.factors", CHOSEN_BY, "test/hr_at_10", "test/ndcg_at_10")
UNUSED = ("Dataset", "Source", "Models")
CURVES = r"^val/(hr|mrr|ndcg)_at_10$"


def save(page: Page, name: str) -> None:
    """The page as docs/NAME.png; what would be a large file in 256 colours, a third of it."""
    page.mouse.move(0, 0)
    page.add_style_tag(content="[data-assistant-ui] { display: none !important }")
    page.wait_for_timeout(1000)  # for what fades in or out
    file = DOCS / f"{name}.png"
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    shot.save(file, optimize=True)
    if file.stat().st_size > LARGE:
        # the usual method turns thin lines grey
        shot = shot.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        shot.save(file, optimize=True)
    print(f"picture  {file}  {file.stat().st_size / 1000:.0f} kB", flush=True)


class Photographer:
    """Takes the dashboard's pictures of one sweep."""

    def __init__(self, url: str, experiment: str, sweep: str, runs: list[Record]) -> None:
        """`runs`: the sweep's, the best on validation first."""
        self.url, self.experiment, self.sweep, self.runs = url, experiment, sweep, runs

    @contextmanager
    def opened(self, height: int = HEIGHT) -> Iterator[Dashboard]:
        """The dashboard at the experiment, with the side bar out of the way."""
        with browsing(WIDTH, height) as page:
            dashboard = Dashboard(page, self.url)
            dashboard.open_experiment(self.experiment)
            page.get_by_role("button", name="Toggle sidebar").click()
            yield dashboard

    def table(self) -> None:
        """The sweep as a tree, with what is swept and what it came to."""
        height = min(AROUND_ROWS + ROW * (1 + len(self.runs)), 2 * HEIGHT)
        with self.opened(height) as dashboard:
            dashboard.search(f'tags.sweep = "{self.sweep}"')
            until(dashboard.names, [self.sweep])
            dashboard.expand(self.sweep)
            dashboard.show_columns(COLUMNS, UNUSED)
            dashboard.widen(*(f"metrics.`{column}`" for column in COLUMNS[2:]))
            save(dashboard.page, "mlflow-runs")

    def charts(self) -> None:
        """Validation by epoch, of all the sweep's runs."""
        height = max(640, AROUND_ROWS + ROW * len(self.runs))
        with self.opened(min(height, 2 * HEIGHT)) as dashboard:
            of_jobs = f'tags.sweep = "{self.sweep}" and tags.job != ""'
            dashboard.page.goto(dashboard.link(of_jobs, CHOSEN_BY))
            until(lambda: self.runs[0].name in dashboard.names(), True)
            dashboard.show_charts(CURVES, every_run=True)
            curved = [run for run in self.runs if float(run.metrics["fit/epochs"]) > 1]
            until(dashboard.lines("val/ndcg_at_10").count, len(curved))
            save(dashboard.page, "mlflow-charts")

    def comparison(self) -> None:
        """The best run and the next best of the same model, or of any."""
        best, *others = self.runs
        alike = [run for run in others if run.tags["model"] == best.tags["model"]]
        with self.opened(COMPARISON) as dashboard:
            dashboard.search(f'tags.sweep = "{self.sweep}"')
            until(dashboard.names, [self.sweep])
            dashboard.expand(self.sweep)
            dashboard.compare([best.name, (alike or others)[0].name])
            dashboard.compared("test/ndcg_at_10")
            save(dashboard.page, "mlflow-compare")

    def artifacts(self) -> None:
        """A figure of the report among the sweep's files."""
        figures = sorted((OUTPUTS / "sweeps" / self.sweep / "report").glob("by-*.png"))
        figure = figures[0].name if figures else "epochs-metric.png"
        with self.opened() as dashboard:
            dashboard.open_run(self.sweep, "Artifacts")
            dashboard.open_artifact("report", figure)
            until(lambda: dashboard.picture(f"report/{figure}") > 0, True)
            save(dashboard.page, "mlflow-artifacts")


def shoot_report(page_file: Path) -> None:
    """The first screens of the sweep's report, on a desk and on a phone."""
    for name, (width, height) in {"report": REPORT, "report-phone": PHONE}.items():
        with browsing(width, height) as page:
            page.goto(page_file.as_uri())
            save(page, name)


def main(words: list[str]) -> None:
    """Takes all six. Raises UserError when there is no such sweep."""
    if len(words) != 1 or not words[0].startswith("sweep="):
        raise UserError("which sweep? python -m benchmarks.screenshots sweep=NAME")
    sweep = words[0].removeprefix("sweep=")
    reader = Reader(f"sqlite:///{OUTPUTS}/mlflow.db")
    found = [run for run in reader.sweep(sweep) if "best/val/ndcg@10" in run.metrics]
    if len(found) < 2:
        raise UserError(f"sweep {sweep} has fewer than two runs chosen on validation")
    runs = sorted(found, key=lambda run: run.metrics["best/val/ndcg@10"], reverse=True)
    (experiment,) = [
        name
        for name in reader.experiments()
        if runs[0].run_id in {run.run_id for run in reader.experiment(name)}
    ]
    with serving(HOME) as url:
        photographer = Photographer(url, experiment, sweep, runs)
        photographer.table()
        photographer.charts()
        photographer.comparison()
        photographer.artifacts()
    shoot_report(OUTPUTS / "sweeps" / sweep / "report.html")


if __name__ == "__main__":
    run_main(main)
