"""Make commands start sooner."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from src.config.lazy_module import defer
from src.config.without_dynamo import without_dynamo


@contextmanager
def importing() -> Iterator[None]:
    """Import without looking for garbage: heavy libraries make many objects and none of it.

    Looking for it takes a third of the time of importing torch, Lightning and MLflow. What they
    made is not looked through again later either.
    """
    # a sixth of the way to the first step: torchmetrics, which Lightning imports, imports it to see
    # whether it has this name, and to give it the name if it has not
    defer("scipy.signal", hamming=None)
    gc.disable()
    try:
        with without_dynamo():
            yield
    finally:
        gc.freeze()
        gc.enable()
