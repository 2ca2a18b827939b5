"""Numbers that differ from the paper's, and changes of the settings that may be the cause."""

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


@dataclass(frozen=True)
class Change:
    """A change of the settings."""

    label: str
    words: tuple[str, ...] = ()
    """For every system."""
    words_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where they differ by system: it is tried on these alone."""

    def get_words(self, system: str) -> tuple[str, ...] | None:
        """Return the change's words; None where there is nothing to change."""
        return self.words_of.get(system) if self.words_of else self.words


@dataclass(frozen=True)
class Study:
    """Changes tried on some systems, each on its own."""

    systems: Mapping[str, System]
    changes: Sequence[Change]
    shows_validation: bool = False
    """Whether the table says what validation would choose."""

    def list_words(
        self, system: str, change: Change | None = None, seeds: Sequence[int] = SEEDS
    ) -> list[str] | None:
        """Return the words behind `python -m src.train -m`; None where there is nothing to try."""
        changed = () if change is None else change.get_words(system)
        if changed is None:
            return None
        seed = f"seed={','.join(map(str, seeds))}"
        return [*self.systems[system].words, *changed, f"data={ML_1M}", seed]


MLP_1 = System(
    "MLP, 1 hidden layer, 8 factors",
    ("model=mlp", "model.factors=8", "model.num_layers=1"),
    TABLES_3_4[ML_1M][1, 8],
)
GMF_16 = System("GMF, 16 factors", ("model=gmf", "model.factors=16"), FIGURE_4[ML_1M]["gmf", 16])
NEUMF_8 = System(
    "NeuMF from scratch, 8 factors", ("model=neumf", "model.factors=8"), TABLE_2[ML_1M]["neumf", 8]
)
PRETRAINED_8 = System(
    "NeuMF pre-trained, 8 factors",
    ("experiment=paper/system/neumf-pretrained", "model.factors=8"),
    TABLE_2[ML_1M]["neumf-pretrained", 8],
)

CHOSEN_ON_TEST = Change(
    "epoch chosen on test, nothing held out", ("protocol=ncf2017", "trainer.patience=null")
)
SINGLE_EXAMPLES = "single examples shuffled, not a positive with its negatives"
"""Tried on its own: see `single_examples`."""

# the parts as they are, whatever is changed of the fusion
PARTS_AS_THEY_ARE = tuple(
    f"+pretrain.{part}.trainer.{option}"
    for part in ("gmf", "mlp")
    for option in ("max_epochs=30", "patience=5")
)
STUDIES: Mapping[str, Study] = {
    "causes": Study(
        {"mlp-1": MLP_1, "gmf-16": GMF_16, "neumf-8": NEUMF_8},
        (
            CHOSEN_ON_TEST,
            Change("validation and test are no negatives", ("data.exclude=all",)),
            Change(
                "embeddings drawn with a deviation of .05, later the default of Keras",
                ("model.init_std=0.05",),
            ),
            Change("embeddings drawn with a deviation of .1", ("model.init_std=0.1",)),
            Change("embeddings of 16", words_of={"mlp-1": ("model.layers=[32,8]",)}),
            Change(
                "as the paper's text has it: embeddings of 16, layers of 32, 16 and 8",
                words_of={"neumf-8": ("model.layers=[32,16,8]",)},
            ),
            Change("embeddings of 32", words_of={"mlp-1": ("model.layers=[64,8]",)}),
            Change(
                "embeddings of 32, 100 epochs, the epoch chosen on test",
                words_of={
                    "mlp-1": (
                        "model.layers=[64,8]",
                        "trainer.max_epochs=100",
                        *CHOSEN_ON_TEST.words,
                    )
                },
            ),
            Change("20 epochs at most", ("trainer.max_epochs=20",)),
            Change(
                "100 epochs at most, patience 10", ("trainer.max_epochs=100", "trainer.patience=10")
            ),
            *(Change(f"batches of {n:,}", (f"data.batch_size={n}",)) for n in (128, 512, 1024)),
            *(
                Change(f"a rate of {rate}", (f"optimizer.lr={rate}",))
                for rate in (1e-4, 5e-4, 5e-3)
            ),
        ),
    ),
    "pretraining": Study(
        {"neumf-pretrained-8": PRETRAINED_8},
        (
            Change(
                "not trained: the fusion as it starts", ("trainer.max_epochs=1", *PARTS_AS_THEY_ARE)
            ),
            Change(
                "100 epochs, no patience",
                ("trainer.max_epochs=100", "trainer.patience=null", *PARTS_AS_THEY_ARE),
            ),
            *(Change(f"SGD at {lr}", (f"optimizer.lr={lr}",)) for lr in (0.0001, 0.01, 0.1)),
            Change("SGD at 0.01, the start not judged", ("optimizer.lr=0.01", "scheduler=none")),
            *(
                Change(f"Adam at {lr}", ("optimizer=adam", f"optimizer.lr={lr}"))
                for lr in ("0.00001", "0.0001", "0.0003", "0.001")
            ),
            *(Change(f"alpha {a}", (f"model.alpha={a}",)) for a in (0.3, 0.4, 0.6, 0.7)),
            CHOSEN_ON_TEST,
        ),
        shows_validation=True,
    ),
}
