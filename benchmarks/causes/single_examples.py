"""Training on single examples in random order, as the released code shuffles them.

Ours trains on a positive together with its negatives. `python -m benchmarks.causes.single_examples
FILE WORDS` trains the run that `python -m src.train WORDS` would, by autograd on shuffled examples,
and writes HR@10 and NDCG@10 on test by user to the file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.assembled import compose
from src.data.stream import RatingBatch, Stream, TrainingStream
from src.papers.reproduction import METRIC_LABELS
from src.run.assembly import Run, assemble

NEGATIVES_KEY = 1
"""Of the generator that draws an epoch's negatives; that of its order has none."""


class ExampleStream(Stream[RatingBatch]):
    """Every positive and its fresh negatives, each an example of its own with 1 or 0 as rating."""

    def __init__(self, grouped: TrainingStream, batch_size: int) -> None:
        """Take the positives, and what to draw from, of a stream of groups."""
        self.grouped = grouped
        examples = torch.arange(len(grouped.users) * (1 + grouped.negatives), dtype=torch.int32)
        super().__init__(examples, grouped.items, batch_size, grouped.seed)
        self.rows_read = 2 * batch_size
        self._drawn: tuple[int, RatingBatch] | None = None

    def batch(self, epoch: int, step: int) -> RatingBatch:
        part = slice(step * self.per_batch, (step + 1) * self.per_batch)
        return RatingBatch(*(column[part] for column in self._draw(epoch)))

    def _draw(self, epoch: int) -> RatingBatch:
        if self._drawn is None or self._drawn[0] != epoch:
            users, k = self.grouped.users.long(), self.grouped.negatives
            drawn = self.grouped.unseen.draw(users, k, self._make_generator(epoch, NEGATIVES_KEY))
            items = torch.cat([self.grouped.items.long()[:, None], drawn], 1)
            ratings = torch.zeros(items.shape)
            ratings[:, 0] = 1
            order = self._draw_epoch_order(epoch).long()
            columns = users[:, None].expand_as(items), items, ratings
            self._drawn = epoch, RatingBatch(*(column.reshape(-1)[order] for column in columns))
        return self._drawn[1]


def cross_entropy(logits: Tensor, ratings: Tensor) -> Tensor:
    """Average the binary cross-entropy (He et al. 2017, equation 7) over single examples."""
    return binary_cross_entropy_with_logits(logits, ratings)


def train(words: Sequence[str], folder: Path) -> pd.DataFrame:
    """Train the run of these words on single examples; return test metrics of the epoch chosen."""
    options = compose(*words)
    run = assemble(options, folder)
    grouped = run.data.train_dataloader()
    assert isinstance(grouped, TrainingStream)
    stream = ExampleStream(grouped, options.data.options.batch_size)
    run.data.train_dataloader = lambda: stream
    run.module.loss = cross_entropy
    run.trainer.fit(run.module, datamodule=run.data)
    return _test(run)


def _test(run: Run) -> pd.DataFrame:
    run.trainer.test(run.module, datamodule=run.data, ckpt_path="best", verbose=False)
    _, metrics = run.module.rankings[0].per_user([10])
    return pd.DataFrame({name: metrics[name].numpy() for name in METRIC_LABELS})


def main(file: Path, words: Sequence[str]) -> None:
    """Write the table to the file once it is whole."""
    with TemporaryDirectory() as folder:
        table = train(words, Path(folder))
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    table.to_parquet(part, index=False)
    part.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
