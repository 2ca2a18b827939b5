"""The parts of a run, made from the same options as by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from src.config.build import check
from src.config.compose import compose as compose_config
from src.config.compose import plain
from src.data.datamodule import InteractionDataModule
from src.run import assembly
from src.training.module import RecommenderModule
from src.training.trainer import make_trainer


def found_here(data: str) -> tuple[str, ...]:
    """The options of that data, in the folder where this process would look for it.

    Runs in a home of their own then find it without another download.
    """
    name = f"data={data}"
    return name, f"data.root={compose(name)['data']['root']}"


def compose(*overrides: str) -> dict[str, Any]:
    """The options of `python -m src.train OVERRIDES`."""
    return plain(compose_config(overrides))


def make(
    options: dict[str, Any], folder: Path
) -> tuple[pl.Trainer, RecommenderModule, InteractionDataModule]:
    """Trainer, module and data of a run without a tracker."""
    monitor = options["protocol"]["monitor"]
    assembly.seed_everything(options)
    checked = check(make_trainer, options["trainer"], "trainer")
    trainer = make_trainer(folder, monitor, None, **checked)
    data = assembly.make_datamodule(options)
    module = assembly.make_module(options, assembly.initial_model(options, data), data)
    return trainer, module, data
