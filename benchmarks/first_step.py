"""`python -m benchmarks.first_step OPTIONS`: the command, cut off where its first step begins."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from src import cli, train


def stop(*_: Any) -> NoReturn:
    """Ends the process as if by power cut: what comes after is not measured."""
    os._exit(0)


def until_first_step(cfg: Any) -> float:
    """The command's task with a training step that ends it."""
    from src.config.startup import importing

    with importing():
        from src.training.module import RecommenderModule
    RecommenderModule.training_step = stop  # type: ignore[assignment]
    return train.train(cfg)


if __name__ == "__main__":
    cli.run(until_first_step, "train")
    sys.exit("no training step was taken")
