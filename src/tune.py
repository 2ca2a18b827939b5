"""`python -m src.tune`: search for a model's best settings, on validation alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing
from src.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def tune(cfg: DictConfig) -> None:
    """Run trials until there are enough, in one process or several, and say what is best."""
    with importing():
        from src.tuning.driver import run_search

    if cfg.check:
        raise UserError("check=true looks at one run: python -m src.train with the same options")
    run_search(cfg, cli.output_folder(), explain=cli.user_line)


def main() -> None:
    """Run `python -m src.tune`, also as `ncf-tune`."""
    if cli.given_multirun():
        # Hydra would start a sweep of searches before we are asked
        cli.fail("a search has many runs as it is: leave out -m")
    cli.run(tune, "tune")


if __name__ == "__main__":
    main()
