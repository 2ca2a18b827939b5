"""`python -m benchmarks.many_runs`: thirty small runs, and docs/dashboard.png of them.

On generated data, in a folder of its own: a sweep that is finished, one under way, a search, and
runs beside them. It takes five minutes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.browser import Dashboard, browsing, serving, until
from benchmarks.screenshots import save
from src.dashboard import find_page

REPOSITORY = Path(__file__).resolve().parents[1]

WIDTH, HEIGHT = 1440, 900
DATA = (
    "data=synthetic",
    "data.source.n_users=1000",
    "data.source.n_items=500",
    "data.source.n_interactions=60000",
)
FEW = ("optimizer.lr=0.005", "trainer.max_epochs=8")
ALONE = (
    ("model=itempop",),
    ("model=itemknn",),
    ("model=ease",),
    ("model=ials",),
    ("model=puresvd",),
    ("model=neumf", *FEW),
    ("model=neumf", "model.factors=16", "seed=1", *FEW),
    ("model=mf", "loss=bpr", *FEW),
    ("model=lightgcn", "trainer.max_epochs=2"),
)
SWEEP = ("-m", "model=gmf,mlp,neumf", "model.factors=8,16", "seed=0,1", *FEW)
SEARCH = ("model=gmf", "trials=6", "name=gmf-search", *FEW)
UNDER_WAY = (
    *("-m", "sweep.name=negatives", "model=neumf", "data.negatives=1,2,4,8,16", "seed=0,1"),
    *("optimizer.lr=0.001", "trainer.max_epochs=40"),
)
FINISHED_OF_IT = 3


def main() -> None:
    """Makes the runs, opens the page that the dashboard names, and takes the one of all runs."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for words in ALONE:
            _run(home, "src.train", *words)
        _run(home, "src.tune", *SEARCH)
        _run(home, "src.train", *SWEEP)
        with _under_way(home), serving(home) as url, browsing(WIDTH, HEIGHT) as page:
            dashboard = Dashboard(page, url)
            page.goto(find_page(f"sqlite:///{home}/outputs/mlflow.db", url))
            until(lambda: len(dashboard.names()) > FINISHED_OF_IT, True)
            dashboard.open_view("all runs of synthetic")
            until(lambda: len(dashboard.names()) > len(ALONE), True)
            save(page, "dashboard")


def _command(home: Path, module: str, *words: str) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", module, *words, *DATA], {**os.environ, "NCF_HOME": str(home)}


def _run(home: Path, module: str, *words: str) -> None:
    command, environment = _command(home, module, *words)
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)


@contextmanager
def _under_way(home: Path) -> Iterator[None]:
    """A sweep of which some jobs are finished, until the block ends."""
    command, environment = _command(home, "src.train", *UNDER_WAY)
    process = subprocess.Popen(command, env=environment, cwd=REPOSITORY)
    try:
        jobs = home / "outputs" / "jobs"
        before = len(list(jobs.glob("*/metrics.json")))
        until(lambda: len(list(jobs.glob("*/metrics.json"))) - before >= FINISHED_OF_IT, True)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


if __name__ == "__main__":
    main()
