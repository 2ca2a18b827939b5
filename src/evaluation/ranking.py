"""From batches of targets to their ranks, and from these to all that is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from src.data.targets import CandidateBatch, CatalogueBatch, CatalogueTargets, Targets
from src.errors import UserError
from src.evaluation.catalogue import CUTOFF, GROUPED, METRICS, Metric
from src.evaluation.estimates import estimates
from src.evaluation.expectation import expect_per_user
from src.evaluation.groups import group_items, group_users
from src.evaluation.lists import RecommendedLists, list_metrics
from src.evaluation.metrics import per_user, ranks
from src.evaluation.whole_catalogue import find_best, rank_in_catalogue
from src.models import Recommender


class Scale(NamedTuple):
    """The ratings there are; predictions are clipped to it."""

    lowest: float
    highest: float


class Ranking:
    """The ranks of one part's targets, batch by batch, and then everything that follows.

    Where several processes share the targets, each ranks its own, and `merge` joins them.
    """

    def __init__(
        self,
        targets: Targets,
        device: torch.device,
        scale: Scale | None,
        longest: int = 0,
        metrics: Sequence[Metric] = METRICS,
    ) -> None:
        """`longest`: how many of the best unseen items to keep for each user."""
        self.targets, self.scale, self.longest = targets, scale, longest
        self.metrics = metrics
        self.catalogue = isinstance(targets, CatalogueTargets)
        # at once: many small tensors among a model's large ones keep memory from being given back
        n = len(targets.users)
        self.ranks = torch.zeros(n, dtype=torch.long, device=device)
        """int64 [T], in the order of the targets."""
        self.n_negatives = torch.zeros(n, dtype=torch.long, device=device)
        """int64 [T]: how many candidates each was ranked among."""
        self.scores = torch.zeros(n, device=device)
        self.lists: list[Tensor] = []
        self.seconds = 0.0
        """Time spent on scoring and ranking."""
        self._done = targets.first

    @torch.no_grad()
    def score(self, model: Recommender, batch: CandidateBatch | CatalogueBatch) -> None:
        """Score and rank a batch; batches come in order."""
        started = perf_counter()
        if isinstance(batch, CandidateBatch):
            scores = model.score_candidates(batch.users, batch.items)
            # some released candidates list the target itself: it can't be ahead of itself
            masked = batch.items[:, 1:] == batch.items[:, :1]
            target = scores[:, 0]
            found, n_negatives = ranks(target, scores[:, 1:], masked), (~masked).sum(1)
        else:
            every = model.score_all(batch.users)
            target = every[batch.rows, batch.targets]
            found, n_negatives = rank_in_catalogue(every, batch)
            if self.longest:
                self.lists.append(find_best(every, batch, self.longest))
        part = slice(self._done, self._done + len(target))
        self.ranks[part], self.n_negatives[part] = found, n_negatives
        self.scores[part] = target
        self._done += len(target)
        if target.is_cuda:  # which works on while the clock runs
            torch.cuda.synchronize(target.device)
        self.seconds += perf_counter() - started

    def merge(self, add_up: Callable[[Tensor], object]) -> None:
        """Join what processes ranked that share the targets.

        `add_up` adds a tensor up over them, in place: each has zeros where others were at work.
        """
        n_ranked = torch.tensor(self._done - self.targets.first, device=self.ranks.device)
        for found in (self.ranks, self.n_negatives, self.scores, n_ranked):
            add_up(found)
        self._done = int(n_ranked)
        if isinstance(self.targets, CatalogueTargets) and self.longest:
            self.lists = [self._merge_lists(self.targets, add_up)]

    def _merge_lists(self, targets: CatalogueTargets, add_up: Callable[[Tensor], object]) -> Tensor:
        shape = len(targets.unique_users), min(self.longest, targets.n_items)
        whole = torch.zeros(shape, dtype=torch.long, device=self.ranks.device)
        if self.lists:
            mine = torch.cat(self.lists)
            whole[targets.first_user : targets.first_user + len(mine)] = mine
        add_up(whole)
        return whole

    def per_user(self, ks: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the users [U] and each one's metrics [U]."""
        users = self.targets.users
        if self._done < len(users):
            raise UserError(
                f"only {self._done} of {len(users)} targets were ranked: leave out what limits the "
                "Trainer's batches, such as fast_dev_run or limit_test_batches"
            )
        found = (users, self.ranks, self.n_negatives)
        if isinstance(self.targets, CatalogueTargets) and self.targets.n_drawn is not None:
            return expect_per_user(*found, self.targets.n_drawn, ks, self.metrics)
        return per_user(*found, ks, self.catalogue, self.metrics)

    def summarize(self, ks: Sequence[int]) -> dict[str, float]:
        """Average over users; where ratings are predicted add their errors over all targets."""
        means = {name: values.mean().item() for name, values in self.per_user(ks)[1].items()}
        if self.scale is None or self.targets.ratings is None:
            return means
        errors = self.scores.clamp(*self.scale).double() - self.targets.ratings
        return means | {m.name: m.compute(errors) for m in self.metrics if m.basis == "ratings"}

    def summarize_groups(self) -> dict[str, float]:
        """Average over the users of each group, and over the targets among each group of items.

        A group that nobody is in is left out.
        """
        targets = self.targets
        metrics = [metric for metric in METRICS if metric.name in GROUPED]
        groups = group_users(targets.activity, targets.users)
        groups |= group_items(targets.popularity, targets.targets)
        found: dict[str, float] = {}
        for group, rows in groups.items():
            if rows.any():
                own = (targets.users[rows], self.ranks[rows], self.n_negatives[rows])
                values = per_user(*own, [CUTOFF], self.catalogue, metrics)[1]
                found |= {f"{group}/{name}": value.mean().item() for name, value in values.items()}
        return found

    def summarize_lists(self, ks: Sequence[int], vectors: Tensor | None) -> dict[str, float]:
        """Compute what tells lists apart; nothing where candidates were sampled."""
        if not self.lists:
            return {}
        items, targets = torch.cat(self.lists), self.targets
        lists = RecommendedLists(items, targets.popularity, targets.n_users, vectors)
        return list_metrics(lists, ks, self.metrics)

    def estimate(self, ks: Sequence[int]) -> dict[str, float]:
        """Estimate from sampled candidates what ranking the whole catalogue would give."""
        if self.catalogue:
            return {}
        by_target = estimates(self.ranks, self.n_negatives, self.targets.n_unseen, ks)
        users = self.targets.users
        n = torch.bincount(users)
        sums = {name: torch.bincount(users, weights=v) for name, v in by_target.items()}
        return {name: (v[n > 0] / n[n > 0]).mean().item() for name, v in sums.items()}
