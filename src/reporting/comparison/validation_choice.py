"""Whether validation can tell its choice from the next: by the paired standard error."""

from __future__ import annotations

import numpy as np

from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.picture_data import collect_by_user
from src.reporting.wording import decimal
from src.tracking.reading import Reader

FILE = "validation.parquet"


def describe_choice(reader: Reader, comparison: Comparison) -> str:
    """Return a sentence on how far the best on validation is from the second best.

    "" where runs have no results by validated user, or can't be compared. Differences under the
    standard error of their mean over users are called so.
    """
    if comparison.chosen is None or comparison.monitor is None:
        return ""
    first, *rest = comparison.order(comparison.configurations, comparison.monitor)
    metric = comparison.monitor.partition("/")[2]
    values = collect_by_user(reader, [first, *rest[:1]], metric, FILE)
    if len(values) < 2:
        return ""
    best, second = (values[one.mark] for one in (first, rest[0]))
    difference = best - second
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    mean = abs(float(difference.mean()))
    text = (
        f"On validation {first.label} is {decimal(mean)} from {rest[0].label}, with a paired "
        f"standard error of {decimal(error)} over {len(difference):,} users"
    )
    return f"{text}: too little to tell them apart." if mean < error else f"{text}."
