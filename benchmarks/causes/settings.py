"""The numbers that differ from the paper's, and what may be the cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from src.papers.published import FIGURE_4, ML_1M, TABLE_2, TABLES_3_4, Scores

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class System:
    """A model of the paper, with the released code's settings."""

    label: str
    words: tuple[str, ...]
    published: Scores


SYSTEMS: Mapping[str, System] = {
    "mlp-1": System(
        "MLP, 1 hidden layer, 8 factors",
        ("model=mlp", "model.factors=8", "model.num_layers=1"),
        TABLES_3_4[ML_1M][1, 8],
    ),
    "gmf-16": System(
        "GMF, 16 factors", ("model=gmf", "model.factors=16"), FIGURE_4[ML_1M]["gmf", 16]
    ),
    "neumf-8": System(
        "NeuMF from scratch, 8 factors",
        ("model=neumf", "model.factors=8"),
        TABLE_2[ML_1M]["neumf", 8],
    ),
}


@dataclass(frozen=True)
class Cause:
    """A change of the settings that may explain the difference."""

    label: str
    words: tuple[str, ...] = ()
    """For every system."""
    words_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where they differ by system: it is tried on these alone."""

    def get_words(self, system: str) -> tuple[str, ...] | None:
        """Return the change's words; None where there is nothing to change."""
        return self.words_of.get(system) if self.words_of else self.words


CHOSEN_ON_TEST = Cause(
    "epoch chosen on test, nothing held out", ("protocol=ncf2017", "trainer.patience=null")
)
CAUSES = (
    CHOSEN_ON_TEST,
    Cause("validation and test are no negatives", ("data.exclude=all",)),
    Cause("first embeddings of .05, the later default of Keras", ("model.init_std=0.05",)),
    Cause("first embeddings of .1", ("model.init_std=0.1",)),
    Cause(
        "embeddings of 16",
        words_of={
            "mlp-1": ("model.layers=[32,8]",),
            "neumf-8": ("model.layers=[32,16,8]",),
        },
    ),
    Cause(
        "embeddings of 32",
        words_of={"mlp-1": ("model.layers=[64,8]",)},
    ),
    Cause("20 epochs at most", ("trainer.max_epochs=20",)),
    Cause("100 epochs at most, patience 10", ("trainer.max_epochs=100", "trainer.patience=10")),
    *(Cause(f"batches of {size:,}", (f"data.batch_size={size}",)) for size in (128, 512, 1024)),
    *(Cause(f"a rate of {rate}", (f"optimizer.lr={rate}",)) for rate in (1e-4, 5e-4, 5e-3)),
)
SINGLE_EXAMPLES = "single examples shuffled, not a positive with its negatives"
"""Tried on its own: see `single_examples`."""


def list_words(
    system: str, cause: Cause | None = None, seeds: Sequence[int] = SEEDS
) -> list[str] | None:
    """Return the words behind `python -m src.train -m`; None where there is nothing to try."""
    changed = () if cause is None else cause.get_words(system)
    if changed is None:
        return None
    seed = f"seed={','.join(map(str, seeds))}"
    return [*SYSTEMS[system].words, *changed, f"data={ML_1M}", seed]
