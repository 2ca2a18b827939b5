"""`python -m src.evaluate run=ID_OR_DIR`: score a saved run's test part again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from omegaconf import DictConfig

    from src.config.compose import Plain


def evaluate(cfg: DictConfig) -> None:
    """Score the run's best checkpoint on test, against the run's candidates or others."""
    with importing():
        from src.config.compose import plain
        from src.run.assembly import assemble
        from src.run.experiment import test, write_metrics
        from src.run.leading import leading
        from src.run.lookup import BEST, find_run
        from src.run.options import read_options
        from src.run.summary import print_results

    folder, run = cli.output_folder(), find_run(str(cfg.run), cfg.tracking)
    options = read_options(_change(_read_config(run), cfg.data, plain(cfg.trainer)))
    weights = run / BEST
    with leading(options, folder) as leader:
        processes = leader.for_trainer(weights=str(weights)) if leader else None
        made = assemble(options, folder, weights=weights, processes=processes)
        metrics = test(made, folder, checkpoint=None)
    write_metrics(folder, metrics)
    print_results(options, metrics, folder, location=None)


def _read_config(run: Path) -> Plain:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))  # type: ignore[return-value]


def _change(options: Plain, data: Mapping[str, Any], trainer: Plain) -> Plain:
    """Return a run's options with other data options, where given, and this command's trainer."""
    given = {key: value for key, value in data.items() if value is not None}
    source = {key: value for key, value in given.items() if key in options["data"]["source"]}
    changed = {**options["data"], **given, "source": {**options["data"]["source"], **source}}
    return {**options, "data": changed, "trainer": trainer}


def main() -> None:
    """Run `python -m src.evaluate`, also as `ncf-evaluate`."""
    cli.run(evaluate, "evaluate")


if __name__ == "__main__":
    main()
