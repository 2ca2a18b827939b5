"""The options of data: how they are prepared, and how training examples are drawn from them."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Count = Annotated[int, Ge(1), Lt(2**31)]
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class PreparationOptions:
    """What, beside the source, decides the prepared arrays; all of it is in the cache key.

    The fields are explained in conf/train.yaml, under `data`.
    """

    split: Literal["leave-one-out", "ratio", "global-time"] = "leave-one-out"
    validation: bool = True
    test_ratio: Annotated[float, Gt(0), Lt(1)] = 0.1
    validation_ratio: Annotated[float, Gt(0), Lt(1)] = 0.1
    candidates: Count | Literal["released", "all"] = 99
    threshold: float | None = None
    k_core: Count = 1
    split_seed: Annotated[int, Ge(0)] = 0
    latest: bool = False


@dataclass(frozen=True, config=STRICT)
class DataOptions(PreparationOptions):
    """All options of an InteractionDataModule; `batch_size` counts positives and negatives."""

    negatives: Annotated[int, Ge(1), Le(10_000)] = 4
    popularity_power: Annotated[float, Ge(0), Le(10)] = 0.0
    exclude: Literal["train", "all"] = "train"
    batch_size: Count = 256
