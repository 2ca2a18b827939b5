"""`python -m src.evaluate run=ID_OR_DIR`: score a saved run's test part again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from src.config.compose import Plain


def evaluate(cfg: DictConfig) -> None:
    """Score the run's best checkpoint on test, against the run's candidates or others."""
    with importing():
        from src.config.compose import plain
        from src.config.trust import trusted_modules
        from src.run.assembly import assemble
        from src.run.experiment import test
        from src.run.finished import write_finished
        from src.run.leading import leading
        from src.run.lookup import BEST, find_run
        from src.run.options import read_options
        from src.run.saved import read_saved_options
        from src.run.summary import print_results

    folder, run = cli.output_folder(), find_run(str(cfg.run), cfg.tracking)
    own = plain(cfg)
    saved = read_saved_options(run, trusted_modules(own))
    options = read_options(_change(saved, own))
    weights = run / BEST
    with leading(options, folder) as leader:
        processes = leader.for_trainer(weights=str(weights)) if leader else None
        made = assemble(options, folder, weights=weights, processes=processes)
        metrics = test(made, folder, checkpoint=None)
    write_finished(folder, metrics)
    print_results(options, metrics, folder, location=None)


def _change(options: Plain, own: Plain) -> Plain:
    """Return a run's options with this command's data options, where given, trainer and trust."""
    given = {key: value for key, value in own["data"].items() if value is not None}
    source = {key: value for key, value in given.items() if key in options["data"]["source"]}
    changed = {**options["data"], **given, "source": {**options["data"]["source"], **source}}
    return {**options, "data": changed, "trainer": own["trainer"], "trust": own["trust"]}


def main() -> None:
    """Run `python -m src.evaluate`, also as `ncf-evaluate`."""
    cli.run(evaluate, "evaluate")


if __name__ == "__main__":
    main()
