"""The options of training that are Lightning's: device, precision, epochs, callbacks."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainerOptions:
    """All options of `make_trainer`, explained in conf/trainer/auto.yaml."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Annotated[int, Ge(1)] = 1
    nodes: Annotated[int, Ge(1)] = 1
    precision: Literal["32", "bf16-mixed"] = "32"
    matmul: Literal["highest", "high"] = "highest"
    deterministic: bool = True
    max_epochs: Annotated[int, Ge(1)] = 30
    patience: Annotated[int, Ge(1)] | None = 5
    threads: Annotated[int, Ge(1), Le(1024)] | None = 1
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    """Lightning callbacks of the user's own, each a `_target_` with its options."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further options of pytorch_lightning.Trainer, passed on as they are."""
