"""`make bench-gpu`: examples a second in training and pairs a second in evaluation, on a GPU.

NVIDIA's configuration of NCF on generated data of MovieLens-20M's shape, then NeuMF-8 on
MovieLens-1M.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.assembled import found_here
from benchmarks.commands import measured

NVIDIA = (
    "data=synthetic",
    "data.source.n_users=138493",
    "data.source.n_items=26744",
    "data.source.n_interactions=20000000",
    "data.batch_size=1048576",
    "model.factors=64",
    "model.layers=[256,256,128,64]",
    "model.dropout=0.5",
)
FAST = ("trainer.matmul=high", "trainer.deterministic=false")
CALLS = "100"


def configurations() -> dict[str, tuple[str, ...]]:
    """What is measured, by name."""
    small = found_here("ncf-ml-1m")
    return {
        "20M, batch 2^20, TF32": (*NVIDIA, *FAST),
        "20M, batch 2^20, bf16": (*NVIDIA, *FAST, "trainer.precision=bf16-mixed"),
        "ML-1M, batch 256": (*small, *FAST),
        "ML-1M, batch 16,384": (*small, *FAST, "data.batch_size=16384"),
    }


def main() -> None:
    """Prints the table."""
    if not torch.cuda.is_available():
        print("error: bench-gpu needs a CUDA GPU that torch can use", file=sys.stderr)
        sys.exit(2)
    shown = Table("", "million examples/s", "million pairs/s")
    with tempfile.TemporaryDirectory() as home:
        for name, configuration in configurations().items():
            words = ("trainer=gpu", *configuration, f"data.cache={home}/prepared")
            found = measured("benchmarks.large", CALLS, *words, home=Path(home))
            shown.add_row(
                name,
                f"{found['examples_per_second'] / 1e6:.2f}",
                f"{found['pairs_per_second'] / 1e6:.1f}",
            )
    Console().print(shown)


if __name__ == "__main__":
    main()
