"""Recommenders that are fitted to the whole training part at once, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from src.data.interactions import Interactions
from src.models.recommender import Recommender

# Scores of whole catalogues made at a time to look some of them up
SCORES_PER_CHUNK = 1 << 24
# Chosen on validation of the released MovieLens-1M split
STEEPNESS = 20.0
TINY = 1e-30


class Fitted(Recommender):
    """Learned by a formula or by sweeps over the data; its tensors are buffers, set by `store`.

    A subclass implements `fit`, and `score` or `score_all`, each of which has a default that rests
    on the other.
    """

    iterative = False
    """Whether `fit` is one sweep of many, each judged like an epoch, instead of everything."""

    rates = False
    """Whether it predicts ratings where `train` has them."""

    def fit(self, train: Interactions) -> None:
        """Learn from the training part, on the CPU; called once, or for every sweep.

        Random numbers follow from torch's own generator, which the run's seed fixes.
        """
        raise NotImplementedError

    def to_log_scale(self, scores: Tensor) -> Tensor:
        """Return log softplus(20 s): scores that estimate 0 or 1 by least squares, as logarithms.

        Where a score is far below 0 that goes on linearly, and ranks stay what they are.
        """
        return softplus(STEEPNESS * scores).clamp(min=TINY).log()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        # an inherited score that doesn't rest on score_all would be of another model
        if "score_all" in vars(cls) and "score" not in vars(cls):
            cls.score = Fitted.score  # type: ignore[method-assign]

    def item_vectors(self) -> Tensor | None:
        return None

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        score_all = self._find_written_score_all()
        users, items = torch.broadcast_tensors(users, items)
        different, rows = users.unique(return_inverse=True)
        found = []
        size = max(1, SCORES_PER_CHUNK // self.n_items)
        for start in range(0, len(different), size):
            mine = (rows >= start) & (rows < start + size)
            scores = score_all(self, different[start : start + size])
            found.append((mine, scores[rows[mine] - start, items[mine]]))
        together = found[0][1].new_empty(users.shape)
        for mine, scores in found:
            together[mine] = scores
        return together

    @classmethod
    def _find_written_score_all(cls) -> Callable[[Fitted, Tensor], Tensor]:
        """Return the nearest `score_all` that doesn't rest on `score`.

        Where a subclass overrides `score`, its own `score_all` does, and its `score` may ask for
        the inherited one.
        """
        written = (vars(kind).get("score_all") for kind in cls.__mro__)
        default = Recommender.score_all
        return next((one for one in written if one not in (None, default)), default)
