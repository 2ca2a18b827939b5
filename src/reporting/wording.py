"""Numbers, times and lists as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from src.evaluation.catalogue import label_of, part_of

CANDIDATES = {"all": "the whole catalogue", "released": "the released candidates"}


def decimal(value: float, digits: int = 4, sign: bool = False) -> str:
    """Return a number without a zero before the point: .4072, 1.0312, −.0041."""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    text = text.replace("0.", ".", 1) if abs(float(text)) < 1 else text
    return text.replace("-", "−")


def with_sd(mean: float, sd: float | None) -> str:
    """Return a mean with its standard deviation, if there is one: .4072 ± .0034."""
    return decimal(mean) if sd is None else f"{decimal(mean)} ± {decimal(sd)}"


def seconds(value: float) -> str:
    """Return seconds with three significant digits, and none behind the point from 100 on."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def duration(value: float) -> str:
    """Return how long so many seconds are: 45 s, 12 min, 1.6 h."""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def p_value(value: float) -> str:
    """Return a probability with three digits, or that it is smaller."""
    return "< .001" if value < 0.001 else decimal(value, 3)


def whole(value: float) -> str:
    """Return a mean of whole numbers: 6, or 5.5."""
    return f"{value:,.1f}".removesuffix(".0")


def listed(words: Iterable[object], most: int = 8, last: str = "and") -> str:
    """Write words as "a, b and c", the rest counted where there are too many."""
    every = [str(word) for word in words]
    if len(every) > most:
        return f"{', '.join(every[:most])} and {len(every) - most} more"
    return f" {last} ".join([part for part in (", ".join(every[:-1]), *every[-1:]) if part])


def counted(n: int, noun: str) -> str:
    """Return a number and its noun: 1 run, 2 runs."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def candidates(value: str | int) -> str:
    """Return what targets are ranked among, from `data.candidates`."""
    return CANDIDATES.get(str(value), f"{value} candidates")


def seed_ranges(seeds: Sequence[int]) -> str:
    """Return seeds as "0, 1 and 2", only the ends where there are many in a row."""
    if len(seeds) > 3 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return listed(seeds)


def describe_selection(monitor: str, refit: bool) -> str:
    """Return how the epoch is chosen: by which metric, on which part.

    `refit`: whether the model is trained again with validation before test.
    """
    where = "TEST (optimistic)" if part_of(monitor) == "test" else "validation"
    again = ", then trained again with it" if refit else ""
    return f"epoch chosen by {label_of(monitor)} on {where}{again}"
