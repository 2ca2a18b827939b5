"""What makes commands start sooner."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """For heavy imports: they make many objects and no garbage.

    Looking for it takes a third of the time of importing torch, Lightning and MLflow. What they
    made is not looked through again later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
