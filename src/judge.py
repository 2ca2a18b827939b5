"""`python -m src.judge lists=FILE data=...`: judge lists that any other library made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def judge(cfg: DictConfig) -> None:
    """Judge the lists on the test part of the data, and record them beside our runs."""
    with importing():
        from src.config.compose import plain
        from src.run.options import read_options
        from src.run.provenance import collect_tags
        from src.serving.judging_lists import judge_lists, open_lists

    folder, own = cli.output_folder(), plain(cfg)
    lists = open_lists(own)
    options = read_options(own)
    tags = {**collect_tags(own, folder), "mlflow.source.name": "src.judge"}
    judge_lists(lists, options, folder, tags)


def main() -> None:
    """Run `python -m src.judge`, also as `ncf-judge`."""
    cli.run(judge, "judge")


if __name__ == "__main__":
    main()
