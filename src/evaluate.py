"""`python -m src.evaluate run=ID_OR_DIR`: score a saved run's test part again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> None:
    """Score the run's best checkpoint on test, against the run's candidates or others."""
    with importing():
        from src.config.compose import plain
        from src.run.assembly import assemble
        from src.run.experiment import test
        from src.run.finished import write_finished
        from src.run.leading import leading
        from src.run.lookup import BEST, find_run
        from src.run.options import read_options
        from src.run.saved import read_changed_options
        from src.run.summary import print_results

    folder, run = cli.output_folder(), find_run(str(cfg.run), cfg.tracking)
    options = read_options(read_changed_options(run, plain(cfg)))
    weights = run / BEST
    with leading(options, folder) as leader:
        processes = leader.for_trainer(weights=str(weights)) if leader else None
        made = assemble(options, folder, weights=weights, processes=processes)
        metrics = test(made, folder, checkpoint=None)
    write_finished(folder, metrics)
    print_results(options, metrics, folder, location=None)


def main() -> None:
    """Run `python -m src.evaluate`, also as `ncf-evaluate`."""
    cli.run(evaluate, "evaluate")


if __name__ == "__main__":
    main()
