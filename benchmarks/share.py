"""`python -m benchmarks.share OPTIONS`: what Lightning, callbacks and MLflow add to our own work.

The real command with a clock around everything that a bare loop would do too: indexing and drawing
negatives, steps, ranking. The rest of the fit is the others' share, and `overhead` the seconds that
an epoch adds to it. One process against itself, because two runs on a noisy machine differ by more
than what is measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from src import cli, train
from src.config.startup import importing

epochs: list[tuple[float, float]] = []  # when each began, and our own seconds by then
own_seconds = 0.0
fit_seconds = 0.0
inside = False


def clocked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, its time counted as our own; calls within calls count once."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        global own_seconds, inside  # noqa: PLW0603
        if inside:
            return function(*args, **kwargs)
        inside, started = True, time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            inside = False
            own_seconds += time.perf_counter() - started

    return wrapped


def main(cfg: Any) -> float:
    """The command's task, and a last line with the times; it takes two epochs or more."""
    with importing():
        import pytorch_lightning as pl

        from src.data.datamodule import InteractionDataModule
        from src.data.stream import TrainingStream
        from src.training.module import RecommenderModule

    def fit(*args: Any, **kwargs: Any) -> None:
        global fit_seconds  # noqa: PLW0603
        started = time.perf_counter()
        whole_fit(*args, **kwargs)
        fit_seconds += time.perf_counter() - started

    def begin(module: RecommenderModule) -> None:
        epochs.append((time.perf_counter(), own_seconds))
        begin_epoch(module)

    begin_epoch, RecommenderModule.on_train_epoch_start = (  # type: ignore[method-assign]
        RecommenderModule.on_train_epoch_start,
        begin,
    )
    whole_fit, pl.Trainer.fit = pl.Trainer.fit, fit  # type: ignore[method-assign]
    for owner, name in (
        (InteractionDataModule, "train_dataloader"),
        (InteractionDataModule, "val_dataloader"),
        (TrainingStream, "take"),
        (RecommenderModule, "training_step"),
        (RecommenderModule, "validation_step"),
    ):
        setattr(owner, name, clocked(getattr(owner, name)))
    result = train.train(cfg)
    share = 100 * (fit_seconds - own_seconds) / own_seconds
    (first, own_first), (last, own_last) = epochs[0], epochs[-1]
    overhead = (last - first - (own_last - own_first)) / (len(epochs) - 1)
    found = {"own": own_seconds, "fit": fit_seconds, "share": share, "overhead": overhead}
    print(json.dumps(found))
    return result


if __name__ == "__main__":
    cli.run(main, "train")
