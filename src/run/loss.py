"""Make a run's loss from its options, and tell whether ratings are to be predicted."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from src.config.build import Component
from src.errors import UserError
from src.run.options import Options
from src.training.losses import is_rating_loss, is_user_loss


def learns_ratings(options: Options) -> bool:
    """Tell whether ratings are to be predicted: whether the loss is one on ratings."""
    return bool(options.loss) and is_rating_loss(options.loss.callable)


def build_loss(chosen: Component, n_items: int) -> Any:
    """Make the loss; a class is called for it, a plain function is the loss itself.

    One whose signature asks for `n_items` is given how many items there are. Raises UserError for
    options that it does not have.
    """
    target = chosen.callable
    bound = chosen.bind()
    given = {"n_items": n_items} if "n_items" in inspect.signature(target).parameters else {}
    loss: Any = chosen.build(**given) if inspect.isclass(target) else partial(bound, **given)
    try:
        inspect.signature(loss).bind(*_list_arguments(target))
    except (TypeError, ValueError) as error:
        raise UserError(f"{chosen.group}._target_={chosen.target}: no loss of logits") from error
    return loss


def _list_arguments(loss: Any) -> tuple[str, ...]:
    """Return what a loss is called with."""
    if is_user_loss(loss):
        return "logits", "rows", "items"
    return ("logits", "ratings") if is_rating_loss(loss) else ("logits",)
