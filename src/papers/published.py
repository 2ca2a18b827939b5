"""What papers report on the splits released with He et al. 2017: HR@10 and NDCG@10.

All are leave-one-out among the 99 released candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Scores(NamedTuple):
    """HR@10 and NDCG@10 of one system on test."""

    hr: float
    ndcg: float

    def get(self, metric: str) -> float:
        """Return the score called "hr@10" or "ndcg@10"."""
        return {"hr@10": self.hr, "ndcg@10": self.ndcg}[metric]


RowKey = tuple[str | int, ...]
"""The parts that name a row of a table: a system, its factors, ..."""

PublishedTable = Mapping[str, Mapping[RowKey, Scores]]
"""Rows by data set."""

HE = "He et al. 2017"
DACREMA = "Dacrema et al. 2021"
RENDLE = "Rendle et al. 2020"
IRSPACK = "irspack"

ML_1M, PINTEREST = "ncf-ml-1m", "ncf-pinterest"
FACTORS = (8, 16, 32, 64)


def _make_rows(system: str, *scores: tuple[float, float]) -> dict[RowKey, Scores]:
    """Return the rows of a system at 8, 16, 32 and 64 factors."""
    return {(system, factors): Scores(*pair) for factors, pair in zip(FACTORS, scores, strict=True)}


# He et al. 2017, table 2; the epoch chosen on test, as in all of that paper
_PRETRAINED = _make_rows(
    "neumf-pretrained", (0.684, 0.403), (0.707, 0.426), (0.726, 0.445), (0.730, 0.447)
)
_SCRATCH = _make_rows("neumf", (0.688, 0.410), (0.696, 0.420), (0.701, 0.425), (0.705, 0.426))
_PINTEREST_PRETRAINED = _make_rows(
    "neumf-pretrained", (0.878, 0.555), (0.880, 0.558), (0.879, 0.555), (0.877, 0.552)
)
_PINTEREST_SCRATCH = _make_rows(
    "neumf", (0.869, 0.546), (0.871, 0.547), (0.870, 0.549), (0.872, 0.551)
)
TABLE_2: PublishedTable = {
    ML_1M: _SCRATCH | _PRETRAINED,
    PINTEREST: _PINTEREST_SCRATCH | _PINTEREST_PRETRAINED,
}

# He et al. 2017, tables 3 and 4, by number of hidden layers
_MLP = {
    0: ((0.452, 0.253), (0.454, 0.252), (0.453, 0.252), (0.453, 0.251)),
    1: ((0.628, 0.359), (0.663, 0.391), (0.682, 0.406), (0.687, 0.409)),
    2: ((0.655, 0.383), (0.674, 0.402), (0.687, 0.410), (0.696, 0.417)),
    3: ((0.671, 0.399), (0.684, 0.410), (0.692, 0.425), (0.702, 0.426)),
    4: ((0.678, 0.406), (0.690, 0.415), (0.699, 0.423), (0.707, 0.432)),
}
_MLP_PINTEREST = {4: ((0.862, 0.539), (0.867, 0.544), (0.867, 0.546), (0.873, 0.550))}


def _make_layer_rows(rows: Mapping[int, tuple[tuple[float, float], ...]]) -> dict[RowKey, Scores]:
    """Return the rows of each number of layers at 8, 16, 32 and 64 factors."""
    return {
        (layers, factors): Scores(*pair)
        for layers, pairs in rows.items()
        for factors, pair in zip(FACTORS, pairs, strict=True)
    }


TABLES_3_4: PublishedTable = {
    ML_1M: _make_layer_rows(_MLP),
    PINTEREST: _make_layer_rows(_MLP_PINTEREST),
}

# He et al. 2017, figure 4, read off the vector graphic to about .001; NeuMF is table 2's, MLP that
# of three layers. In the place of iALS the paper has eALS (He et al. 2016).
FIGURE_4: PublishedTable = {
    ML_1M: {
        **_make_rows("gmf", (0.643, 0.371), (0.693, 0.415), (0.713, 0.436), (0.705, 0.431)),
        **_make_rows("mlp", *_MLP[3]),
        **_PRETRAINED,
        **_make_rows("mf-bpr", (0.629, 0.361), (0.666, 0.397), (0.686, 0.411), (0.690, 0.419)),
        **_make_rows("ials", (0.628, 0.364), (0.679, 0.398), (0.704, 0.422), (0.704, 0.435)),
        ("itemknn", 0): Scores(0.623, 0.359),
        ("itempop", 0): Scores(0.454, 0.254),  # figure 5
    },
    PINTEREST: _PINTEREST_PRETRAINED,
}

# The ends of figure 5's curves, at K = 10, and of figure 6's, at the best epoch
FIGURE_5: PublishedTable = {
    data: {key[:1]: scores for key, scores in rows.items() if key[1] in (0, 8)}
    for data, rows in FIGURE_4.items()
}
FIGURE_6: PublishedTable = {
    ML_1M: {
        (system,): {**FIGURE_4[ML_1M], **_SCRATCH}[system, 8] for system in ("gmf", "mlp", "neumf")
    },
    PINTEREST: {("neumf",): _PINTEREST_SCRATCH["neumf", 8]},
}

# He et al. 2017, figure 7, at 16 factors, by negatives to a positive. NeuMF is the pre-trained one:
# at 4 it has what table 2 gives for that (.707/.426), and not the .696/.420 from scratch.
NEGATIVES = (1, 2, 4, 6, 8, 10)
_RATIOS = {
    "neumf-pretrained": (
        (0.687, 0.404),
        (0.697, 0.413),
        (0.708, 0.426),
        (0.704, 0.425),
        (0.702, 0.425),
        (0.702, 0.423),
    ),
    "gmf": (
        (0.679, 0.399),
        (0.689, 0.408),
        (0.693, 0.415),
        (0.698, 0.415),
        (0.693, 0.413),
        (0.685, 0.411),
    ),
    "mlp": (
        (0.654, 0.383),
        (0.674, 0.395),
        (0.680, 0.405),
        (0.682, 0.410),
        (0.681, 0.410),
        (0.687, 0.413),
    ),
}
FIGURE_7: PublishedTable = {
    ML_1M: {
        (system, negatives): Scores(*pair)
        for system, pairs in _RATIOS.items()
        for negatives, pair in zip(NEGATIVES, pairs, strict=True)
    }
}

# Rendle et al. 2020, "Neural Collaborative Filtering vs. Matrix Factorization Revisited": MF with
# biases and 192 factors, mean of 8 runs; the NeuMF beside it is the best of He et al., table 2
RENDLE_2020: PublishedTable = {
    ML_1M: {("mf",): Scores(0.7294, 0.4523), ("neumf",): Scores(0.730, 0.447)},
    PINTEREST: {("mf",): Scores(0.8895, 0.5794), ("neumf",): Scores(0.880, 0.558)},
}

# by number of factors, as far as it is at hand in numbers
RENDLE_2020_FACTORS: PublishedTable = {
    ML_1M: {("mf", 192): RENDLE_2020[ML_1M][("mf",)], **TABLE_2[ML_1M]},
    PINTEREST: {("mf", 192): RENDLE_2020[PINTEREST][("mf",)], **TABLE_2[PINTEREST]},
}

# Ferrari Dacrema et al., "A Troubling Analysis of Reproducibility and Progress in Recommender
# Systems Research", TOIS 2021, on MovieLens-1M; iALS and NeuMF too are as they tuned them
DACREMA_2021: PublishedTable = {
    ML_1M: {
        ("userknn",): Scores(0.6768, 0.4100),
        ("itemknn",): Scores(0.6694, 0.3979),
        ("rp3beta",): Scores(0.6758, 0.4011),
        ("puresvd",): Scores(0.6937, 0.4303),
        ("nmf",): Scores(0.6844, 0.4192),
        ("mf-bpr",): Scores(0.6305, 0.3730),
        ("slim-bpr",): Scores(0.7002, 0.4258),
        ("slim",): Scores(0.7162, 0.4468),
        ("ease",): Scores(0.7192, 0.4494),
        ("ials",): Scores(0.7109, 0.4382),
        ("neumf",): Scores(0.7093, 0.4349),
    }
}

# An iALS with 192 factors in a notebook of the library irspack: the best published on this split
IALS_TUNED = Scores(0.7310, 0.4521)
