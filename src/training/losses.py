"""Losses on grouped logits [P, 1+k], the positive in column 0; on ratings; on whole users.

Each grouped loss gives its gradient too, in closed form: on small batches autograd takes longer to
find it than the whole model takes to be applied.
"""

from __future__ import annotations

import inspect
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import softplus

from src.errors import UserError
from src.models.recommender import Recommender


class BCE:
    """Binary cross-entropy (He et al. 2017, equation 7); mean over examples."""

    def __call__(self, logits: Tensor) -> Tensor:
        """Average -log s(x) of positives and -log(1 - s(x)) of negatives, without forming s(x)."""
        # softplus(-x) = softplus(x) - x
        return (softplus(logits).sum() - logits[:, 0].sum()) / logits.numel()

    def gradient(self, logits: Tensor) -> Tensor:
        """Return s(x) - 1 of positives and s(x) of negatives, by the number of examples."""
        residuals = torch.sigmoid(logits)
        residuals[:, 0] -= 1
        return residuals.div_(logits.numel())


class BalancedBCE:
    """Cross-entropy in which positives and negatives weigh half each, however many there are.

    (-log s(x) averaged over positives - log(1 - s(x)) averaged over negatives) / 2, as in the NCF
    of the RecoHut notebooks; the same as BCE with one negative a positive.
    """

    def __call__(self, logits: Tensor) -> Tensor:
        return (softplus(-logits[:, 0]).mean() + softplus(logits[:, 1:]).mean()) / 2

    def gradient(self, logits: Tensor) -> Tensor:
        residuals = torch.sigmoid(logits)
        residuals[:, 0] -= 1
        residuals[:, 1:] /= logits.shape[1] - 1
        return residuals.div_(2 * len(logits))


@dataclass(frozen=True)
class Squared:
    """Weighted squared error against 1 and 0 (He et al. 2017, equation 5); mean over examples.

    The prediction is the score itself, as in the regression that the paper compares with;
    `negative_weight` is w_ui of the negatives, positives weigh 1.
    """

    negative_weight: Annotated[float, Ge(0)] = 1.0

    def __call__(self, logits: Tensor) -> Tensor:
        positive = (logits[:, 0] - 1).square().sum()
        negative = logits[:, 1:].square().sum()
        return (positive + self.negative_weight * negative) / logits.numel()

    def gradient(self, logits: Tensor) -> Tensor:
        weighted = logits * (2 * self.negative_weight)
        weighted[:, 0] = 2 * (logits[:, 0] - 1)
        return weighted.div_(logits.numel())


class BPR:
    """Bayesian personalized ranking (Rendle et al. 2009): -log s(positive - negative).

    Mean over pairs of a positive with each of its negatives.
    """

    def __call__(self, logits: Tensor) -> Tensor:
        return softplus(logits[:, 1:] - logits[:, :1]).mean()

    def gradient(self, logits: Tensor) -> Tensor:
        return _differentiate_pairs(torch.sigmoid(logits[:, 1:] - logits[:, :1]))


@dataclass(frozen=True)
class Hinge:
    """max(0, margin - positive + negative); mean over pairs, as in Spotlight."""

    margin: Annotated[float, Gt(0)] = 1.0

    def __call__(self, logits: Tensor) -> Tensor:
        return (logits[:, 1:] - logits[:, :1] + self.margin).relu().mean()

    def gradient(self, logits: Tensor) -> Tensor:
        violating = logits[:, 1:] - logits[:, :1] + self.margin > 0
        return _differentiate_pairs(violating.to(logits.dtype))


@dataclass(frozen=True)
class WARP:
    """Weighted approximate-rank pairwise loss (Weston et al. 2011); mean over positives.

    Of a positive's negatives, which come in random order, the first that violates the margin
    counts, weighted by log((n_items - 1) / t), rounded down inside, when it is the t-th: the sooner
    one is found, the lower the positive must stand. More `data.negatives` are more tries.
    """

    n_items: int
    margin: Annotated[float, Gt(0)] = 1.0

    def __call__(self, logits: Tensor) -> Tensor:
        weight, first = self._first_violation(logits)
        violation = self.margin - logits[:, :1] + logits[:, 1:].gather(1, first)
        return (weight * violation).mean()

    def gradient(self, logits: Tensor) -> Tensor:
        weight, first = self._first_violation(logits)
        gradient = torch.zeros_like(logits).scatter_(1, first + 1, weight)
        gradient[:, :1] = -weight
        return gradient.div_(len(logits))

    def _first_violation(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Find each positive's first violating negative: weight [P, 1] and place int64 [P, 1]."""
        violating = logits[:, 1:].detach() > logits[:, :1].detach() - self.margin
        found, first = violating.to(torch.int8).max(1, keepdim=True)
        rank = ((self.n_items - 1) // (first + 1)).clamp(min=1)
        return found * rank.to(logits.dtype).log(), first


class SampledSoftmax:
    """Softmax cross-entropy of each positive among its own negatives; mean over positives."""

    def __call__(self, logits: Tensor) -> Tensor:
        return (logits.logsumexp(1) - logits[:, 0]).mean()

    def gradient(self, logits: Tensor) -> Tensor:
        gradient = logits.softmax(1)
        gradient[:, 0] -= 1
        return gradient.div_(len(logits))


def _differentiate_pairs(slopes: Tensor) -> Tensor:
    """Return the gradient [P, 1+k] of a mean over pairs.

    slopes [P, k]: its derivatives by negative minus positive.
    """
    return torch.cat([-slopes.sum(1, keepdim=True), slopes], dim=1).div_(slopes.numel())


class RatingLoss:
    """A loss of predicted against given ratings, both [P]: trains on ratings, not on negatives."""

    def __call__(self, predicted: Tensor, ratings: Tensor) -> Tensor:
        """Return a scalar."""
        raise NotImplementedError


class MSE(RatingLoss):
    """Squared error of a rating (Koren et al. 2009, equation 5 without the regularization)."""

    def __call__(self, predicted: Tensor, ratings: Tensor) -> Tensor:
        return (predicted - ratings).square().mean()


class UserLoss:
    """A loss on every item's logits of users [P, n_items], who have `items` [n]: trains by user.

    `rows` [n] says whose each of the items is, as a row of the logits.
    """

    def __call__(self, logits: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Return a scalar."""
        raise NotImplementedError


class FullSoftmax(UserLoss):
    """Softmax cross-entropy of each positive among all items; mean over positives.

    All of a user's positives share one row of logits. Summed over a user it is the multinomial
    likelihood of Liang et al. 2018 (equation 2).
    """

    def __call__(self, logits: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        counts = torch.bincount(rows, minlength=len(logits)).to(logits.dtype)
        positives = logits.flatten().index_select(0, rows * logits.shape[1] + items)
        return (logits.logsumexp(1) @ counts - positives.sum()) / len(items)


def is_rating_loss(loss: object) -> bool:
    """Tell whether a loss, its class, or a plain function is one on ratings.

    A function is one if its second argument is called `ratings`.
    """
    return _is_kind(loss, RatingLoss, "ratings")


def is_user_loss(loss: object) -> bool:
    """Tell whether a loss, its class, or a plain function is one on whole users.

    A function is one if it has an argument called `rows`.
    """
    return _is_kind(loss, UserLoss, "rows")


def check_by_user(model: Recommender, loss: object) -> None:
    """Refuse with UserError to train a model by a loss on other batches than it learns from."""
    if model.sequential and (is_user_loss(loss) or is_rating_loss(loss)):
        raise UserError(
            f"{type(model).__name__} learns from a positive and negatives at a time: take "
            "loss=softmax or loss=bce"
        )
    if model.by_user and not is_user_loss(loss):
        raise UserError(
            f"{type(model).__name__} learns from all items of a user together: take "
            "loss=full-softmax"
        )


def _is_kind(loss: object, kind: type, argument: str) -> bool:
    if isinstance(loss, kind) or (isinstance(loss, type) and issubclass(loss, kind)):
        return True
    function = getattr(loss, "func", loss)
    return inspect.isfunction(function) and argument in inspect.signature(function).parameters
