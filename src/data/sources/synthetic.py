"""Generated interactions with tastes to be learned: any size, no download."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import IntArray, Interactions
from src.errors import UserError

Floats = NDArray[np.floating[Any]]

GENERATOR_VERSION = 1
"""Part of the fingerprint: raise it whenever the same parameters give other interactions."""

# Fitted to MovieLens-1M: at its size these four come near its counts per user and per item, and
# near its HR@10 of item popularity (.47, ML-1M .45) and of the linear model EASE (.73, ML-1M .72).
POPULARITY_EXPONENT = 2.5
ACTIVITY_SIGMA = 1.15
USER_CONCENTRATION = 0.10
ITEM_CONCENTRATION = 0.08

MAX_SHARE_OF_ITEMS = 5 / 8
"""The most active user of ML-1M has rated 2,314 of 3,706."""

CHUNK = 2**18
"""Interactions generated at a time: bounds the working memory."""
ROUNDS = 12
"""Rounds of redrawing repeated pairs; users who then still lack some are completed one by one."""

START = 946_684_800  # 2000-01-01
SECONDS = 3 * 365 * 86_400


@dataclass(frozen=True)
class Synthetic:
    """Users with a few tastes each, choosing among items of skewed popularity.

        popularity_i = |z_i|^2.5,  z ~ Normal(0, 1)
        affinity_i   ~ Dirichlet(0.08)   over the T tastes
        mixture_u    ~ Dirichlet(0.10)   over the T tastes
        p(i | t)     ∝ popularity_i · affinity_it
        p(i | u)     = Σ_t mixture_ut · p(i | t)

    User u draws its items from p(i | u) without replacement: min_per_user of them and a lognormal
    number more. The order in time is random, so the last interaction is as typical as any other.
    A rating (1..5) grows with the match log(T · mixture_u · affinity_i), and has noise.
    p(i | u) has rank T: a model with about T factors can learn it, and popularity alone can't.

    Time and memory grow with n_interactions, never with n_users × n_items. The result depends on
    the parameters alone.

    Raises UserError when the sizes contradict each other.
    """

    n_users: int = 6040
    n_items: int = 3706
    n_interactions: int = 1_000_000
    """Exact number of distinct pairs; every item has one if there are at least n_items."""
    n_tastes: int = 10
    min_per_user: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name == "seed" else 1
            if type(value) is not int or value < least:
                raise UserError(
                    f"synthetic data: {name} must be a whole number of at least {least}, "
                    f"not {value!r}"
                )
        least, most = self.n_users * self.min_per_user, self.n_users * self.n_items
        if self.min_per_user > self.n_items:
            raise UserError(
                f"synthetic data: min_per_user={self.min_per_user} distinct items can't be had "
                f"from n_items={self.n_items}; lower the one or raise the other"
            )
        if not least <= self.n_interactions <= most:
            raise UserError(
                f"synthetic data: n_interactions={self.n_interactions} must be between {least} "
                f"(n_users × min_per_user) and {most} (n_users × n_items)"
            )

    def fingerprint(self) -> str:
        """Return the SHA-256 of the parameters and the generator's version."""
        content = {"generator": GENERATOR_VERSION, **asdict(self)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(self) -> Interactions:
        """Generate the interactions, ordered by user and, within a user, by time."""
        rng = np.random.default_rng(self.seed)
        catalogue = _Catalogue.draw(self.n_items, self.n_tastes, rng)
        activity = self._draw_activity(rng)
        items = np.empty(self.n_interactions, np.int32)
        ratings = np.empty(self.n_interactions, np.float32)
        timestamps = np.empty(self.n_interactions, np.int64)
        for users, rows in _split_into_chunks(activity):
            items[rows], ratings[rows], timestamps[rows] = _draw_interactions(
                catalogue, activity[users], rng
            )
        _cover_unseen(items, self.n_items, rng)
        return Interactions(
            users=np.repeat(np.arange(self.n_users, dtype=np.int32), activity),
            items=items,
            user_ids=np.arange(self.n_users),
            item_ids=np.arange(self.n_items),
            ratings=ratings,
            timestamps=timestamps,
        )

    def _draw_activity(self, rng: np.random.Generator) -> IntArray:
        """Draw how many items each user takes: int64 [n_users], with the sum n_interactions."""
        density = self.n_interactions / (self.n_users * self.n_items)
        most = np.ceil(self.n_items * max(MAX_SHARE_OF_ITEMS, (1 + density) / 2))
        extra = rng.lognormal(sigma=ACTIVITY_SIGMA, size=self.n_users)

        def scale_activity(scale: float) -> Floats:
            return np.minimum(self.min_per_user + scale * extra, most)

        low, high = 0.0, self.n_items / extra.min()
        for _ in range(64):  # halve until the doubles run out
            middle = (low + high) / 2
            if scale_activity(middle).sum() <= self.n_interactions:
                low = middle
            else:
                high = middle
        wanted = scale_activity(low)
        activity = wanted.astype(np.int64)
        short = self.n_interactions - int(activity.sum())
        activity[np.argsort(activity - wanted, kind="stable")[:short]] += 1  # largest remainder
        return activity


@dataclass(frozen=True)
class _Catalogue:
    """The items: how they match each taste, and how often each taste chooses them."""

    affinity: Floats
    """[n_items, n_tastes]: rows sum to 1."""
    choice: Floats
    """[n_tastes, n_items]: p(item | taste), rows sum to 1."""
    cumulative: Floats
    """`choice`, in the form that `_draw_columns` needs."""

    @classmethod
    def draw(cls, n_items: int, n_tastes: int, rng: np.random.Generator) -> _Catalogue:
        """Draw the popularity of the items and their affinity to the tastes."""
        popularity = np.abs(rng.standard_normal(n_items)) ** POPULARITY_EXPONENT
        affinity = rng.dirichlet(np.full(n_tastes, ITEM_CONCENTRATION), size=n_items)
        affinity = np.maximum(affinity, 1e-9)  # so that no taste is left without items
        choice = np.ascontiguousarray((popularity[:, None] * affinity).T)
        choice /= choice.sum(axis=1, keepdims=True)
        return cls(affinity, choice, _cumulate(choice))


def _split_into_chunks(activity: IntArray) -> Iterator[tuple[slice, slice]]:
    """Yield runs of whole users with about CHUNK interactions, and the rows of each run."""
    ends = np.cumsum(activity)
    first = row = 0
    while first < len(activity):
        last = max(first + 1, int(np.searchsorted(ends, row + CHUNK, side="right")))
        yield slice(first, last), slice(row, int(ends[last - 1]))
        first, row = last, int(ends[last - 1])


def _draw_interactions(
    catalogue: _Catalogue, activity: IntArray, rng: np.random.Generator
) -> tuple[IntArray, Floats, IntArray]:
    """Draw items, ratings and timestamps of some users, each [activity.sum()], by user and time."""
    n_items, n_tastes = catalogue.affinity.shape
    mixture = rng.dirichlet(np.full(n_tastes, USER_CONCENTRATION), size=len(activity))
    users, items = np.divmod(_draw_pairs(catalogue, mixture, activity, rng), n_items)

    moment = users * SECONDS + rng.integers(SECONDS, size=len(users))
    order = np.argsort(moment, kind="stable")
    users, items = users[order], items[order]

    match = n_tastes * np.einsum("nt,nt->n", mixture[users], catalogue.affinity[items])
    noise = rng.standard_normal(len(users))
    score = 3.3 + 0.6 * np.log(np.maximum(match, 0.01)) + 0.9 * noise
    ratings = np.clip(np.rint(score), 1, 5).astype(np.float32)
    return items, ratings, moment[order] - users * SECONDS + START


def _draw_pairs(
    catalogue: _Catalogue, mixture: Floats, activity: IntArray, rng: np.random.Generator
) -> IntArray:
    """Draw distinct user × n_items + item, int64 [activity.sum()], without replacement."""
    n_users, n_items = len(activity), len(catalogue.affinity)
    cumulative = _cumulate(mixture)
    pairs: IntArray = np.empty(0, np.int64)
    missing = activity
    for _ in range(ROUNDS):
        users = np.repeat(np.arange(n_users), missing)
        tastes = _draw_columns(cumulative, users, rng)
        drawn = users * n_items + _draw_columns(catalogue.cumulative, tastes, rng)
        pairs = _sort_distinct(np.concatenate([pairs, drawn]))
        missing = activity - np.bincount(pairs // n_items, minlength=n_users)
        if not missing.any():
            return pairs

    # The few whose favourites are used up: the first arrivals of an exponential race are a draw
    # without replacement from what is left, at the cost of one pass over the items.
    completed = [pairs]
    for user in np.flatnonzero(missing):
        first = user * n_items
        taken = slice(*np.searchsorted(pairs, [first, first + n_items]))
        rate = (mixture[user, :, None] * catalogue.choice).sum(axis=0)
        arrival = rng.standard_exponential(n_items) / np.maximum(rate, 1e-300)
        arrival[pairs[taken] - first] = np.inf
        k = missing[user]
        completed.append(first + np.sort(np.argpartition(arrival, k - 1)[:k]))
    return np.concatenate(completed)


def _sort_distinct(values: IntArray) -> IntArray:
    """Sort values and drop repeated ones; np.unique hashes, which is far slower here."""
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) > 0]


def _cumulate(probabilities: Floats) -> Floats:
    """Return row r's distribution function plus r: all rows ascend, for one `searchsorted`."""
    return np.cumsum(probabilities, axis=1) + np.arange(len(probabilities))[:, None]


def _draw_columns(cumulative: Floats, rows: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw one column for each of `rows`, by inverting the row's distribution function."""
    width = cumulative.shape[1]
    found = np.searchsorted(cumulative.ravel(), rows + rng.random(len(rows)), side="right")
    return np.clip(found - rows * width, 0, width - 1)  # a sum may miss 1 by a rounding error


def _cover_unseen(items: IntArray, n_items: int, rng: np.random.Generator) -> None:
    """Give each unseen item a random interaction of an item that keeps another (in place)."""
    unseen = np.flatnonzero(np.bincount(items, minlength=n_items) == 0)
    kept = np.zeros(n_items, np.int64)
    kept[items] = np.arange(len(items))  # one row of each item
    rows = rng.choice(len(items), size=min(len(items), len(unseen) + n_items), replace=False)
    rows = rows[kept[items[rows]] != rows][: len(unseen)]
    items[rows] = unseen[: len(rows)]
