"""Published numbers, spot-checked against the papers' tables."""

from __future__ import annotations

import pytest

from src.papers.published import (
    DACREMA_2021,
    FIGURE_4,
    FIGURE_5,
    FIGURE_6,
    FIGURE_7,
    ML_1M,
    PINTEREST,
    RENDLE_2020,
    TABLE_2,
    TABLES_3_4,
    PublishedTable,
    RowKey,
)


@pytest.mark.parametrize(
    ("table", "data", "key", "scores"),
    [
        (TABLE_2, ML_1M, ("neumf-pretrained", 8), (0.684, 0.403)),
        (TABLE_2, ML_1M, ("neumf-pretrained", 64), (0.730, 0.447)),
        (TABLE_2, ML_1M, ("neumf", 16), (0.696, 0.420)),
        (TABLE_2, PINTEREST, ("neumf-pretrained", 16), (0.880, 0.558)),
        (TABLE_2, PINTEREST, ("neumf", 8), (0.869, 0.546)),
        (TABLES_3_4, ML_1M, (0, 8), (0.452, 0.253)),
        (TABLES_3_4, ML_1M, (3, 32), (0.692, 0.425)),
        (TABLES_3_4, ML_1M, (4, 64), (0.707, 0.432)),
        (TABLES_3_4, PINTEREST, (4, 64), (0.873, 0.550)),
        (FIGURE_4, ML_1M, ("gmf", 32), (0.713, 0.436)),
        (FIGURE_4, ML_1M, ("mlp", 16), (0.684, 0.410)),
        (FIGURE_4, ML_1M, ("mf-bpr", 64), (0.690, 0.419)),
        (FIGURE_4, ML_1M, ("ials", 8), (0.628, 0.364)),
        (FIGURE_4, ML_1M, ("itemknn", 0), (0.623, 0.359)),
        (FIGURE_5, ML_1M, ("itempop",), (0.454, 0.254)),
        (FIGURE_5, ML_1M, ("neumf-pretrained",), (0.684, 0.403)),
        (FIGURE_6, ML_1M, ("neumf",), (0.688, 0.410)),
        (FIGURE_6, ML_1M, ("gmf",), (0.643, 0.371)),
        (FIGURE_7, ML_1M, ("neumf-pretrained", 4), (0.708, 0.426)),
        (FIGURE_7, ML_1M, ("gmf", 10), (0.685, 0.411)),
        (FIGURE_7, ML_1M, ("mlp", 1), (0.654, 0.383)),
        (RENDLE_2020, ML_1M, ("mf",), (0.7294, 0.4523)),
        (RENDLE_2020, PINTEREST, ("mf",), (0.8895, 0.5794)),
        (DACREMA_2021, ML_1M, ("ease",), (0.7192, 0.4494)),
        (DACREMA_2021, ML_1M, ("neumf",), (0.7093, 0.4349)),
    ],
)
def test_numbers_of_the_papers(
    table: PublishedTable, data: str, key: RowKey, scores: tuple[float, float]
) -> None:
    assert table[data][key] == scores


def test_sizes() -> None:
    assert [len(table[ML_1M]) for table in (TABLE_2, TABLES_3_4, FIGURE_4)] == [8, 20, 22]
    assert [len(table[ML_1M]) for table in (FIGURE_5, FIGURE_6, FIGURE_7)] == [7, 3, 18]
    assert [len(table[ML_1M]) for table in (RENDLE_2020, DACREMA_2021)] == [2, 11]
