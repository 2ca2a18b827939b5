"""The catalogue of metrics: what each is called, how it is computed, and which value is better.

Everybody who names, labels, orders or chooses by a metric reads it here. Importing this file costs
nothing: the functions that compute are located when they are needed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from src.config.build import locate
from src.errors import UserError, did_you_mean

Basis = Literal["ranks", "lists", "ratings"]

CUTOFF = 10
"""The cutoff that is always reported, by which epochs are chosen and runs compared."""

PARTS = {"val": "validation", "test": "test", "test/full": "test, all unseen"}
"""What a metric was measured on, by how its name begins: "val/ndcg@10"."""

USER_GROUPS = {
    "users-q1": "least active",
    "users-q2": "less active",
    "users-q3": "more active",
    "users-q4": "most active",
}
"""Quarters of the tested users by their interactions in training: "test/users-q1/ndcg@10"."""

ITEM_GROUPS = {
    "items-head": "head",
    "items-mid": "middle",
    "items-tail": "tail",
    "items-new": "new",
}
"""The tested items by popularity: those with each third of the interactions in training, and new
ones, which have none: "test/items-tail/hr@10"."""

GROUPED = ("hr", "ndcg")
"""What is reported by group."""

SELECTED = "best/"
"""Begins the name under which the selected epoch's value is recorded of what has a curve."""

# What a user's function calls its first argument says what it is computed from
BASES: Mapping[str, Basis] = {"ranked": "ranks", "lists": "lists"}


@dataclass(frozen=True)
class Metric:
    """One metric, without the part it is measured on and without its cutoff."""

    name: str
    """In names like "val/ndcg@10": "ndcg"."""
    label: str
    """For people: "NDCG"."""
    function: str | Callable[..., Any]
    """What computes it, or where that is: "src.evaluation.metrics.ndcg"."""
    basis: Basis = "ranks"
    """Computed from the targets' ranks (by user), from recommended lists, or from ratings."""
    at_cutoffs: bool = True
    """Whether it is of the first k items."""
    lower_is_better: bool = False
    by_epoch: bool = False
    """Whether every epoch is judged by it, not test alone."""
    headline: bool = False
    """Whether the lines, bars and curves of epochs show it."""

    @property
    def compute(self) -> Callable[..., Any]:
        """The function: of `RankedLists` or `RecommendedLists`, and of k where it has cutoffs."""
        return locate(self.function) if isinstance(self.function, str) else self.function

    def names(self, ks: Sequence[int]) -> list[str]:
        """Return its names at these cutoffs: ["ndcg@5", "ndcg@10"], or ["auc"]."""
        return [f"{self.name}@{k}" for k in ks] if self.at_cutoffs else [self.name]


def _ranks(name: str, label: str, function: str | None = None, **more: Any) -> Metric:
    return Metric(name, label, f"src.evaluation.metrics.{function or name}", **more)


def _lists(name: str, label: str) -> Metric:
    function = f"src.evaluation.lists.{name.replace('-', '_')}"
    return Metric(name, label, function, basis="lists")


def _ratings(name: str, label: str, headline: bool) -> Metric:
    return Metric(
        name,
        label,
        f"src.evaluation.ratings.{name}",
        basis="ratings",
        at_cutoffs=False,
        lower_is_better=True,
        by_epoch=True,
        headline=headline,
    )


METRICS: tuple[Metric, ...] = (
    _ranks("hr", "HR", by_epoch=True, headline=True),
    _ranks("ndcg", "NDCG", by_epoch=True, headline=True),
    _ranks("mrr", "MRR", by_epoch=True),
    _ranks("map", "MAP", "average_precision"),
    _ranks("precision", "Precision"),
    _ranks("recall", "Recall"),
    _ranks("f1", "F1"),
    _ranks("auc", "AUC", at_cutoffs=False),
    _lists("coverage", "Coverage"),
    _lists("gini", "Gini"),
    _lists("popularity", "Popularity"),
    _lists("novelty", "Novelty"),
    _lists("personalization", "Personalization"),
    _lists("ild-euclidean", "Diversity (Euclidean)"),
    _lists("ild-cosine", "Diversity (cosine)"),
    _ratings("rmse", "RMSE", headline=True),
    _ratings("mae", "MAE", headline=False),
)
"""A new metric is an entry here and a function in metrics.py (ranks), lists.py or ratings.py."""

_KNOWN = {metric.name: metric for metric in METRICS}
# Those of the user's own that `choose_metrics` has read in this process
_OWN: dict[str, Metric] = {}


def find_metric(name: str) -> Metric:
    """Return the metric of a name like "ndcg", "val/ndcg@10" or "best/test/full/rmse".

    A name that is none of the catalogue's, nor read by `choose_metrics`, stands for a metric of
    which nothing else is known here.
    """
    bare = name.rpartition("/")[2].partition("@")[0]
    return _KNOWN.get(bare) or _OWN.get(bare) or Metric(bare, _make_label(bare), bare)


def _make_label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def lower_is_better(name: str) -> bool:
    """Tell whether the metric of this name is an error: "val/rmse" or "val/mae"."""
    return find_metric(name).lower_is_better


def label_of(name: str) -> str:
    """Return how a metric is written: "NDCG@10" for "val/ndcg@10"."""
    _, at, cutoff = name.rpartition("/")[2].partition("@")
    return f"{find_metric(name).label}{at}{cutoff}"


def part_of(name: str) -> str:
    """Return the part that a metric was measured on: "val" for "val/ndcg@10"."""
    return name.removeprefix(SELECTED).partition("/")[0]


def selected_name(metric: str) -> str:
    """Return the name under which the selected epoch's value of a judged metric is recorded."""
    return f"{SELECTED}{metric}"


def selected_value(metrics: Mapping[str, float], metric: str) -> float | None:
    """Return the selected epoch's value of "val/..." or "test/..." from a run's record.

    What is judged by epoch has that epoch's value under `selected_name`, and the last epoch's under
    its own name.
    """
    return metrics.get(selected_name(metric), metrics.get(metric))


def headlines(names: Iterable[str]) -> list[str]:
    """Return those of the names that the lines, bars and curves of epochs show, in their order.

    Of what has cutoffs only the one at `CUTOFF`.
    """
    suffixes = headline_names()
    return [name for name in names if name.rpartition("/")[2] in suffixes]


def headline_names() -> list[str]:
    """Return what the lines, bars and curves of epochs show, without the part: "ndcg@10"."""
    return [name for m in METRICS if m.headline for name in m.names([CUTOFF])]


def choose_metrics(own: Sequence[str]) -> tuple[Metric, ...]:
    """Return the catalogue's metrics and those of the user's own, given by their dotted paths.

    A path names a `Metric`, or a function whose first argument is called `ranked` (`RankedLists`)
    or `lists` (`RecommendedLists`), and whose second, k, may be left out where there is no cutoff.
    From then on all that is asked here of such a metric by its name is known. Raises UserError for
    a path that names neither, and for names that are taken.
    """
    chosen = dict(_KNOWN)
    for path in own:
        metric = _read_metric(path)
        if metric.name in chosen:
            raise UserError(f"metrics={path}: there is a metric {metric.name} already")
        chosen[metric.name] = _OWN[metric.name] = metric
    return tuple(chosen.values())


def _read_metric(path: str) -> Metric:
    found: Any = locate(path, "metrics")
    if isinstance(found, Metric):
        return found
    try:
        arguments = list(inspect.signature(found).parameters)
    except (TypeError, ValueError):
        arguments = []
    if not arguments or arguments[0] not in BASES:
        raise UserError(
            f"metrics={path}: a function of (ranked, k) or of (lists, k) is wanted, or a Metric"
        )
    name = path.rpartition(".")[2]
    return Metric(
        name, _make_label(name), found, BASES[arguments[0]], at_cutoffs=len(arguments) > 1
    )


def check_monitor(monitor: str, part: str, metrics: Sequence[Metric], ks: Sequence[int]) -> None:
    """Raise UserError unless epochs of `part` can be chosen by this metric."""
    known = [f"{part}/{n}" for m in metrics if m.basis != "lists" for n in m.names(ks)]
    if monitor not in known:
        hint = did_you_mean(monitor, known)
        raise UserError(f"protocol.monitor={monitor} is none of {', '.join(known)}{hint}")


def describe_metrics(metrics: Iterable[Metric]) -> dict[str, dict[str, Any]]:
    """Return what a reader of records has to know of metrics that are not in the catalogue."""
    return {
        metric.name: {"label": metric.label, "lower_is_better": metric.lower_is_better}
        for metric in metrics
        if metric.name not in _KNOWN
    }


def check_cutoffs(ks: Sequence[int], n_ranked: int) -> None:
    """Raise UserError for cutoffs that every target of `n_ranked` items would be within."""
    if max(ks) >= n_ranked:
        raise UserError(
            f"ks={list(ks)}: with {n_ranked} items to rank every target is among the first "
            f"{max(ks)}; use smaller cutoffs or more data.candidates (10 is always reported)"
        )
