"""Trained models side by side under one score: pre-training and fusion, generalized.

He et al. 2017 start NeuMF from a trained GMF and a trained MLP and weigh them by alpha (section
3.4.1, equation 13). Here the models are any, and their weights are chosen on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from src.config.build import Component
from src.data.interactions import Interactions
from src.data.slices import ItemsByUser
from src.errors import UserError
from src.models.fitted import Fitted
from src.models.fusion_weights import Choice, Gain, choose_weights
from src.models.history import History
from src.models.recommender import KNOWLEDGE, Knowledge, Recommender

Scale = Literal["log", "z"]
FOR_VALIDATION = 1 << 24
"""Scores of a part held for choosing the weights: of more validated users, these many are drawn."""


class Fusion(Fitted):
    """Adds up the scores of trained models, weighted, less a weight of the items' log popularity.

    score(u, i) = sum over parts of w_p S_p(u, i) - a log(1 + n_i), where n_i counts training
    interactions and S_p is the part's score on a scale: "log" is `Recommender.to_log_scale`, "z"
    takes the user's mean over the items that are new to him and divides by the standard deviation.
    """

    free_parts = True
    chooses = True

    weights: Tensor
    """float64 [n_parts + 1]: of each part, then of log popularity."""
    popularity: Tensor
    """float [n_items]: log(1 + n_i)."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        scale: Scale = "log",
        branches: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`branches`: the recipes of its parts, which a checkpoint has; `start_from` sets them."""
        super().__init__(n_users, n_items)
        self.scale = scale
        self.branches = nn.ModuleList(_make(recipe, n_users, n_items) for recipe in branches)
        self.history = History(n_users)
        self.store(
            weights=torch.ones(len(branches) + 1, dtype=torch.float64),
            popularity=torch.zeros(n_items),
        )

    @property
    def knows(self) -> Knowledge:  # type: ignore[override]
        """What the part knows that knows most."""
        known = {branch.knows for branch in self.branches if isinstance(branch, Recommender)}
        return next((one for one in reversed(KNOWLEDGE) if one in known), KNOWLEDGE[0])

    def start_from(self, parts: Mapping[str, Recommender]) -> None:
        """Take trained models side by side."""
        for name, part in parts.items():
            if isinstance(part, Fusion):
                raise UserError(f"model.pretrained.{name} is a fusion itself: name its parts")
        self.branches = nn.ModuleList(parts.values())
        self.arguments = {**self.arguments, "branches": [part.recipe for part in parts.values()]}
        self.store(weights=torch.ones(len(parts) + 1, dtype=torch.float64))

    def train(self, mode: bool = True) -> Self:
        """Leave the parts as they judge: they were trained before."""
        super().train(mode)
        self.branches.eval()
        return self

    def fit(self, train: Interactions) -> None:
        if not len(self.branches):
            raise UserError("model=fusion needs trained models: model.parts=[RUN,RUN,...]")
        self.history.observe(train)
        counts = torch.bincount(torch.from_numpy(train.items).long(), minlength=self.n_items)
        self.store(popularity=torch.log1p(counts.float()))

    def choose(self, validation: Interactions, known: ItemsByUser, gain: Gain) -> Choice:
        """Choose the weights on validation; return what came of it.

        known: each user's items in any part, which are no candidates. gain: what a target's place
        is worth.
        """
        users, targets = _draw_rows(validation, FOR_VALIDATION // self.n_items)
        left_out = known.mark(users)
        with torch.no_grad():
            parts = [
                _subtract_targets(self._scale_part(branch, users), targets)
                for branch in self.branches
            ]
        popular = self.popularity.expand(len(users), -1)
        parts.append(_subtract_targets(-popular, targets))
        choice = choose_weights(parts, left_out, gain)
        self.store(weights=choice.weights)
        return choice

    def choose_like(self, other: Recommender) -> None:
        """Take over the weights of another fusion, of the same parts before they were refit."""
        assert isinstance(other, Fusion)
        self.store(weights=other.weights)

    def score_all(self, users: Tensor) -> Tensor:
        weights = self.weights.tolist()
        found = -weights[-1] * self.popularity.expand(len(users), -1)
        for weight, branch in zip(weights, self.branches, strict=False):
            found = found + weight * self._scale_part(branch, users)
        return found

    def _scale_part(self, branch: nn.Module, users: Tensor) -> Tensor:
        """Return a part's scores of all items on the scale: users [P] -> [P, n_items]."""
        assert isinstance(branch, Recommender)
        scores = branch.score_all(users)
        if self.scale == "log":
            return branch.to_log_scale(scores)
        rows, items = self.history.list_pairs(users)
        new = torch.ones_like(scores)
        new[rows, items] = 0
        n = new.sum(1, keepdim=True).clamp(min=1)
        mean = (scores * new).sum(1, keepdim=True) / n
        variance = ((scores - mean).square() * new).sum(1, keepdim=True) / n
        return (scores - mean) / variance.sqrt().clamp(min=1e-12)


def _make(recipe: Mapping[str, Any], n_users: int, n_items: int) -> Recommender:
    """Make a part, untrained; whoever read the recipe from a file has looked whom it names."""
    made: Recommender = Component.read(recipe, "model.branches").build(
        n_users=n_users, n_items=n_items
    )
    return made


def _draw_rows(validation: Interactions, most: int) -> tuple[Tensor, Tensor]:
    """Return users [T] and items [T] of validation, or of so many of its rows, evenly spread."""
    users, items = (
        torch.from_numpy(column.astype("int64")) for column in (validation.users, validation.items)
    )
    if len(users) <= most:
        return users, items
    rows = torch.linspace(0, len(users) - 1, most).long()
    return users[rows], items[rows]


def _subtract_targets(scores: Tensor, targets: Tensor) -> Tensor:
    """Return how far every item is ahead of the target: [T, n_items] and [T] -> [T, n_items]."""
    return scores - scores.gather(1, targets[:, None])
