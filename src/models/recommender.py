"""What every recommender here is: a module that scores user-item pairs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, Self

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor
from torch.nn.functional import normalize

from src.config.build import check
from src.data.interactions import Interactions
from src.errors import UserError
from src.models.pair_network import PairNetwork
from src.models.stored import Stored

# Pairs that score_all scores at a time: so many that the work on them outweighs its management,
# so few that the widest intermediate stays in cache (on a GPU, in memory).
PAIRS_PER_CHUNK = {"cpu": 1 << 16, "cuda": 1 << 22}

# Types of options that several models have, with their ranges
Factors = Annotated[int, Ge(1)]
NumLayers = Annotated[int, Ge(0), Le(100)]
Layers = list[Annotated[int, Gt(0)]]
Dropout = Annotated[float, Ge(0), Lt(1)]
Power = Annotated[float, Ge(0), Le(2)]
InitStd = Annotated[float, Gt(0)]

Knowledge = Literal["pairs", "times", "order"]
KNOWLEDGE: tuple[Knowledge, ...] = ("pairs", "times", "order")
"""From the least to the most."""

# What a checkpoint can hold of the values that a model is made with
Plain = bool | int | float | str | None


class Loss(Protocol):
    """A loss on grouped logits [P, 1+k], the positive in column 0.

    One with a method `gradient(logits)`, which returns the gradient [P, 1+k] of its value, trains
    small batches faster; without it autograd finds the gradient.
    """

    def __call__(self, logits: Tensor) -> Tensor:
        """Return a scalar."""


class GradientLoss(Loss, Protocol):
    """A loss with its gradient written out."""

    def gradient(self, logits: Tensor) -> Tensor:
        """Return the gradient of the loss, [P, 1+k]."""


class Recommender(Stored):
    """Scores pairs of users and items; knows nothing of Lightning, Hydra or MLflow.

    A subclass implements `score`, which broadcasts as torch does. Callers use `forward` and
    `score_all`. One that derives from another model and overrides its `score` is trained and ranked
    by its own: faster ways to the same scores that it would inherit are put aside.
    """

    knows: Knowledge = "pairs"
    """What it learns from: who had what, when as well, or in which order. Results of one can't be
    held against those of another without saying so."""

    chooses = False
    """Whether it chooses something on validation after it was fitted: `choose`, which
    `choose_like` takes over from another of its kind that has chosen."""

    free_parts = False
    """Whether it can start from any trained models, called anything."""

    parts: tuple[str, ...] = ()
    """What it can start from: names under `model.pretrained`, all of which `start_from` needs."""

    explicit = False
    """Whether `differentiate` is there, which trains small batches faster than autograd."""

    by_user = False
    """Whether it learns from all items of a user together, which takes a loss on whole users."""

    sequential = False
    """Whether it learns from whole users in the order of time: `score_places`."""

    arguments: Mapping[str, Any]
    """What it was made with, but for n_users and n_items; a checkpoint makes it again from this."""

    trained = False
    """Whether there is something to judge: set by training and by `load_model`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Check what a model is made with against its signature. Raises UserError."""
        model = super().__new__(cls)
        # nn.Module takes attributes only after its own __init__
        object.__setattr__(model, "arguments", _bind_arguments(cls, args, kwargs))
        return model

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "score" in vars(cls):
            if "score_all" not in vars(cls):
                cls.score_all = Recommender.score_all  # type: ignore[method-assign]
            if "score_candidates" not in vars(cls):
                cls.score_candidates = Recommender.score_candidates  # type: ignore[method-assign]
            if "differentiate" not in vars(cls):
                cls.differentiate, cls.explicit = Recommender.differentiate, False  # type: ignore[method-assign]
        if "network" not in vars(cls):  # compiled code sees nothing of what a subclass overrides
            cls.network = Recommender.network  # type: ignore[method-assign]

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items

    def observe(self, train: Interactions) -> None:
        """Take from the training part what batches don't tell: histories, a graph, a mean.

        Called once, before training. `train.ratings` are there only when they are to be predicted.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Take note that training begins this epoch, counted from 0."""

    def score_rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a loss on whole users is of: users [P] -> logits [P, n_items].

        Beside it a scalar, which is minimized together with the sum of the losses of all items that
        these users have.
        """
        return self.score_all(users), torch.zeros((), device=users.device)

    def score_places(self, users: Tensor, negatives: Tensor) -> Tensor:
        """Return logits of each interaction of users, from what came before it, and of negatives.

        users [P], their negatives [P, k] -> [n, 1+k], the positive in column 0: what a loss on
        grouped logits is of.
        """
        raise NotImplementedError

    def start_from(self, parts: Mapping[str, Recommender]) -> None:
        """Start from trained models, by the names that `model.pretrained` gives them.

        A subclass that can do so may take further options, which are `model` options then. Raises
        UserError when the parts don't fit.
        """
        raise UserError(
            f"{type(self).__name__} can't start from trained models: leave out model.pretrained"
        )

    def choose_like(self, other: Recommender) -> None:
        """Take over what another of its kind, fitted to less, chose on validation."""

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits of users int64 [..., P] with items [..., P], broadcast together."""
        raise NotImplementedError

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits: users [P] with items [P] -> [P], or with items [P, C] -> [P, C]."""
        if items.dim() == users.dim() + 1:
            # column by column, because torch broadcasts fastest over a leading dimension
            return self.score(users, items.t()).t()
        return self.score(users, items)

    def differentiate(
        self, users: Tensor, items: Tensor, loss: GradientLoss, l2: float = 0.0
    ) -> Tensor:
        """Return the loss of a grouped batch; set every gradient as autograd would, only faster.

        users [P], items [P, 1+k] -> loss(forward(users, items)), a scalar. The gradients are those
        of that loss + l2 * squared_norms(users, items), and replace what was there.
        """
        raise NotImplementedError

    def network(self) -> PairNetwork | None:
        """Return the model as compiled code trains and ranks it; None when it doesn't."""
        return None

    def score_all(self, users: Tensor) -> Tensor:
        """Return logits of every item: users [P] -> [P, n_items], in chunks of users."""
        items = torch.arange(self.n_items, device=users.device)[None, :]
        step = max(1, PAIRS_PER_CHUNK[users.device.type] // self.n_items)
        return torch.cat([self.score(chunk[:, None], items) for chunk in users.split(step)])

    def score_candidates(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits for judging: users [P] with items [P, C] -> [P, C]."""
        return self(users, items)

    def fold_in(self, items: Tensor) -> Tensor:
        """Return logits of every item for somebody known by his items alone: [n] -> [n_items].

        `items`: distinct ids, one or more; earliest first for models that know the order. Raises
        UserError where a user must have been in training.
        """
        raise UserError(
            f"{type(self).__name__} scores users whom it was trained with, and nobody else: take a "
            "neighbourhood, a linear model, or a factorization such as iALS"
        )

    def to_log_scale(self, scores: Tensor) -> Tensor:
        """Return its scores on a scale on which those of several models may be added up.

        What is trained by gradients has logits, which are left as they are.
        """
        return scores

    def user_rows(self, users: Tensor) -> Tensor:
        """Return what is looked up by user id, for L2: ids [...] -> [..., width]."""
        return users.new_empty((*users.shape, 0), dtype=torch.get_default_dtype())

    def item_rows(self, items: Tensor) -> Tensor:
        """Return what is looked up by item id, for L2: ids [...] -> [..., width]."""
        return items.new_empty((*items.shape, 0), dtype=torch.get_default_dtype())

    def item_vectors(self) -> Tensor | None:
        """Return where items lie in the model's own space [n_items, width], or None without one.

        Distances between them tell how diverse a list is.
        """
        rows = self.item_rows(torch.arange(self.n_items, device=next(self.parameters()).device))
        return rows if rows.shape[-1] else None

    def similar_to(self, item: int) -> Tensor | None:
        """Return how near every item is to this one [n_items]; None where the model can't tell.

        By default the cosine of `item_vectors`.
        """
        vectors = self.item_vectors()
        if vectors is None:
            return None
        directions = normalize(vectors.detach(), dim=1)
        return directions @ directions[item]

    def squared_norms(self, users: Tensor, items: Tensor) -> Tensor:
        """Average over the batch's examples the squared norms of the rows each one reads; scalar.

        users [P], items [P, C]: the user's rows count once for each of its C examples, as in a loss
        that is summed over single examples.
        """
        user = self.user_rows(users).square().sum() / len(users)
        return user + self.item_rows(items).square().sum() / items.numel()

    @property
    def recipe(self) -> dict[str, Any]:
        """From what a checkpoint makes the model again: its `_target_` and its options.

        Raises UserError when an option is no plain value.
        """
        options = {name: _require_plain(self, name, it) for name, it in self.arguments.items()}
        return {"_target_": _public_path(type(self)), **options}


def _bind_arguments(
    kind: type[Recommender], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the model is made with by name, checked, but for the sizes of the data."""
    signature = inspect.signature(kind.__init__)
    try:
        bound = signature.bind_partial(None, *args, **kwargs).arguments
    except TypeError:
        return {}  # the call itself will say what is wrong
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound.update(bound.pop(name, {}))
    own = dict(list(bound.items())[1:])
    check(kind, {k: v for k, v in own.items() if k in signature.parameters}, "")
    return {name: value for name, value in own.items() if name not in ("n_users", "n_items")}


def _require_plain(model: Recommender, name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_require_plain(model, name, entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _require_plain(model, name, entry) for key, entry in value.items()}
    if not isinstance(value, Plain):
        kind = type(value).__name__
        raise UserError(
            f"{type(model).__name__}: a checkpoint can't hold {name}, which is a {kind}; models "
            "are made from numbers, texts and lists of these"
        )
    return value


def _public_path(kind: type) -> str:
    """Return the dotted path of a class: of ours the one that configurations name."""
    package = sys.modules.get("src.models")
    if package is not None and getattr(package, kind.__name__, None) is kind:
        return f"src.models.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"
