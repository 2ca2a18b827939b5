"""`python -m benchmarks.large CALLS OPTIONS`: preparing, memory and cost per example."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import seconds
from benchmarks.parts import compose, make
from src.data.stream import Batch, TrainingStream
from src.training.module import RecommenderModule

CALLS_PER_SAMPLE = 20


def main(max_calls: int, options: list[str]) -> None:
    """Prints seconds of preparing, the peak resident MB, and microseconds per example."""
    with tempfile.TemporaryDirectory() as folder:
        trainer, module, data = make(compose(*options), Path(folder))
        preparing = seconds(data.prepare_data)

        whole = TrainingStream.__iter__
        TrainingStream.__iter__ = lambda stream: _first(whole(stream), max_calls)  # type: ignore[method-assign]
        TrainingStream.__len__ = lambda stream: max_calls  # type: ignore[method-assign]
        moments: list[float] = []
        step = RecommenderModule.training_step

        def timed(self: RecommenderModule, batches: Sequence[Batch], index: int) -> None:
            moments.append(time.perf_counter())
            step(self, batches, index)

        RecommenderModule.training_step = timed  # type: ignore
        trainer.fit(module, datamodule=data)
        examples = CALLS_PER_SAMPLE * module.n_examples / max_calls
        late = moments[len(moments) // 2 :]
        samples = [
            (after - before) / examples
            for before, after in zip(late, late[CALLS_PER_SAMPLE:], strict=False)
        ]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(
            json.dumps(
                {
                    "prepare_seconds": preparing,
                    "peak_megabytes": peak,
                    "microseconds_per_example": 1e6 * statistics.median(samples),
                }
            )
        )


def _first(batches: Iterator[list[Batch]], n: int) -> Iterator[list[Batch]]:
    for _ in range(n):
        yield next(batches)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
