"""`make bench`: measures every row, prints the table, writes docs/performance.md and its picture.

`python -m benchmarks ROW ...` measures some rows again, in the table that is kept of the others.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks.assembled import found_here
from benchmarks.commands import run_main
from benchmarks.kept import Kept, describe, read_kept, write_kept
from benchmarks.report import draw, table, write
from benchmarks.rows import Bench, Row
from src.config.paths import OUTPUTS
from src.run.provenance import git_commit

LARGE = (
    "data=synthetic",
    "data.source.n_users=138000",
    "data.source.n_items=27000",
    "data.source.n_interactions=20000000",
)
FAST = ("experiment=fast-neumf-8",)
FAST_32 = ("experiment=fast",)
SWEEP = (
    "model=gmf,mlp,neumf",
    "model.factors=8,16,32,64",
    "data.batch_size=4096",
    "optimizer.lr=0.005",
    "trainer.patience=2",
)
KEPT = OUTPUTS / "bench.json"
WIDE = [512, 256, 128, 64]


def rows_of(bench: Bench) -> dict[str, Callable[[], Row | tuple[Row, ...]]]:
    """What can be measured, by name."""
    return {
        "epoch-256": lambda: bench.epoch(256, target=1.0),
        "epoch-1024": lambda: bench.epoch(1024, target=0.9),
        "epoch-4096": lambda: bench.epoch(4096, target=0.7),
        "gmf-256": lambda: bench.training("GMF-8", 256, 8, [], target=0.5),
        "neumf64-256": lambda: bench.training("NeuMF-64", 256, 64, WIDE, target=32.0),
        "neumf64-4096": lambda: bench.training("NeuMF-64", 4096, 64, WIDE, target=23.0),
        "fast": lambda: bench.quickly("NeuMF-8", FAST, target=20.0),
        "fast-32": lambda: bench.quickly("more factors", FAST_32, target=25.0),
        "draw": bench.draw,
        "evaluation": bench.evaluation,
        "catalogue": bench.catalogue,
        "overhead": bench.overhead,
        "startup": bench.startup,
        "two": bench.two,
        "large": lambda: bench.large(LARGE),
        "sweep": lambda: bench.sweep(SWEEP),
    }


def main(names: list[str]) -> None:
    """Measures the named rows, or all; each is kept when it is measured, and the table written."""
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore")
    console = Console()
    kept = read_kept(KEPT)
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(found_here("ncf-ml-1m"), Path(home))
        known = rows_of(bench)
        if unknown := set(names) - set(known):
            sys.exit(f"no row {', '.join(unknown)}: there are {', '.join(known)}")
        for name in names or known:
            with console.status(f"measuring {name}"):
                found = known[name]()
            rows = list(found) if isinstance(found, tuple) else [found]
            console.print(table(rows))
            kept[name] = Kept(git_commit()[:7], date.today().isoformat(), rows)
            write_kept(KEPT, kept)
    ordered = [kept[name] for name in known if name in kept]
    write([row for one in ordered for row in one.rows], "bench", describe(ordered))
    draw([row for one in ordered for row in one.rows])


if __name__ == "__main__":
    run_main(main)
