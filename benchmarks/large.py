"""`python -m benchmarks.large CALLS OPTIONS`: preparing, memory, cost of an example."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch

from benchmarks.assembled import compose, make
from benchmarks.measure import seconds
from src.data.stream import Batch, TrainingStream
from src.data.targets import CandidateTargets
from src.run.assembly import make_data
from src.training.module import RecommenderModule


def peak_megabytes() -> float:
    """The most memory that this program has had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would begin with what the process that started this one had
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main(max_calls: int, options: list[str]) -> None:
    """Trains `max_calls` calls of one epoch and prints what was measured, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        composed = compose(*options, "trainer.max_epochs=1")
        preparing = seconds(make_data(composed).prepare_data)
        trainer, module, data = make(composed, Path(folder))

        whole = TrainingStream.__iter__
        TrainingStream.__iter__ = lambda stream: islice(whole(stream), max_calls)  # type: ignore[method-assign]
        calls = TrainingStream.__len__
        TrainingStream.__len__ = lambda stream: min(max_calls, calls(stream))  # type: ignore[method-assign]
        moments: list[float] = []
        step = RecommenderModule.training_step

        def timed(self: RecommenderModule, batches: Sequence[Batch], index: int) -> None:
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            moments.append(time.perf_counter())
            step(self, batches, index)

        RecommenderModule.training_step = timed  # type: ignore
        trainer.fit(module, datamodule=data)
        # the second half, when allocators and caches have settled
        half = len(moments) // 2
        took = (moments[-1] - moments[half]) / (len(moments) - 1 - half)
        examples = module.n_examples / len(moments)
        targets = data.val_dataloader()
        assert isinstance(targets, CandidateTargets)
        judging = seconds(lambda: trainer.validate(module, data, verbose=False))
        print(
            json.dumps(
                {
                    "prepare_seconds": preparing,
                    "peak_megabytes": peak_megabytes(),
                    "microseconds_per_example": 1e6 * took / examples,
                    "examples_per_second": examples / took,
                    "pairs_per_second": targets.items.numel() / judging,
                }
            )
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
