"""The LightningDataModule: prepared arrays in, training stream and evaluation targets out."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from src.config.paths import OUTPUTS
from src.data.data_options import DataOptions
from src.data.interactions import Interactions, concatenate
from src.data.prepared import Part, Prepared
from src.data.preparing import prepare
from src.data.share import WHOLE, Share
from src.data.sources.source import Source
from src.data.stream import RatingStream, TrainingStream, UserStream, Whole
from src.data.targets import CatalogueTargets, Targets, make_targets
from src.data.unseen import index_unseen, popularity_mass
from src.errors import UserError


class InteractionDataModule(pl.LightningDataModule):
    """Implicit feedback for training with fresh negatives, and for judging by ranks.

    Everything stays on the training device as whole tensors; batches are slices of them, so there
    are no worker processes and no transfers. What training needs of the data the module that is
    trained says itself, by `feed`.
    """

    def __init__(
        self,
        source: Source,
        options: DataOptions = DataOptions(),  # noqa: B008 - frozen
        *,
        name: str = "data",
        cache: str | Path = OUTPUTS / "prepared",
        seed: int = 0,
        full_ranking: bool = True,
    ) -> None:
        """Describe the data; nothing is read yet.

        `name` and `cache`: prepared arrays are kept in a folder of that name in `cache`. `seed`
        fixes the order of training and its negatives. `full_ranking`: test is ranked among the
        whole catalogue too, where it has sampled candidates.
        """
        super().__init__()
        self.source, self.options, self.seed = source, options, seed
        self.data_name, self.cache = name, Path(cache)
        self.full_ranking = full_ranking
        self.rated = self.whole = self.by_user = self.sequential = False
        self._prepared: Prepared | None = None
        self._train: Interactions | None = None
        self._targets: dict[Part, Targets] = {}

    def merged(self) -> InteractionDataModule:
        """Return the same data with validation in training, and nothing to judge epochs on."""
        other = copy(self)
        other._train = None
        other._prepared = replace(self.prepared, split=self.prepared.split.merged())
        other._targets = {}
        return other

    def feed(
        self, *, rated: bool, whole: bool, by_user: bool = False, sequential: bool = False
    ) -> None:
        """Say what is learned from: `RecommenderModule` and `FittedModule` do, before training.

        `rated`: ratings are to be predicted, and negatives are not drawn. `whole`: an epoch is the
        training part in one piece, instead of batches. `by_user`: a batch has all items of each of
        its users, without negatives; `sequential`: with negatives for each user, and of users with
        times alone.
        """
        if rated != self.rated:
            self._train = None
        self.rated, self.whole = rated, whole
        self.by_user, self.sequential = by_user, sequential

    def prepare_data(self) -> None:
        """Make the cached arrays if they are not there; Lightning calls it on one process."""
        _ = self.prepared

    @property
    def prepared(self) -> Prepared:
        """The prepared arrays, loaded on first use."""
        if self._prepared is None:
            self._prepared = prepare(self.data_name, self.source, self.options, self.cache)
        return self._prepared

    @property
    def n_users(self) -> int:
        return self.prepared.n_users

    @property
    def n_items(self) -> int:
        return self.prepared.n_items

    @property
    def n_ranked(self) -> int:
        """How many items a test target is ranked among, itself included."""
        n_candidates = self.prepared.n_candidates
        return self.n_items if n_candidates is None else 1 + n_candidates

    @property
    def train(self) -> Interactions:
        """The training part as models may see it: with ratings only where these are predicted.

        Raises UserError when they are to be predicted and tell nothing.
        """
        if self._train is None:
            self._train = self._read_train()
        return self._train

    def _read_train(self) -> Interactions:
        # copied from disk: torch warns of arrays that may not be written
        train = self.prepared.split.train.take(np.arange(len(self.prepared.split.train)))
        if not self.rated:
            return replace(train, ratings=None)
        if train.ratings is None or train.ratings.min() == train.ratings.max():
            raise UserError(
                f"{self.data_name} has no ratings to predict; take a loss on positives and "
                "negatives, such as loss=bce, or data with ratings"
            )
        return train

    def train_dataloader(self) -> TrainingStream | RatingStream | UserStream | Whole:
        train, device, options = self.train, self._device, self.options
        if self.whole:
            return Whole(train)
        users = torch.from_numpy(train.users).to(device)
        items = torch.from_numpy(train.items).to(device)
        if train.ratings is not None:
            ratings = torch.from_numpy(train.ratings).to(device)
            return RatingStream(users, items, ratings, options.batch_size, self.seed)
        sizes = train.n_users, train.n_items
        if self.by_user:
            return UserStream(users, items, *sizes, options.batch_size, self.seed)
        mass = popularity_mass(train.items, train.n_items, options.popularity_power)
        unseen = index_unseen(self._list_never_drawn(train), mass, device)
        if (full := (unseen.mass == 0).nonzero()).numel():
            user = train.user_ids[int(full[0])]
            raise UserError(f"user {user} interacted with every item: there is no negative to draw")
        if self.sequential:
            # of others nothing came before anything
            timed = torch.from_numpy(train.timed_users()[train.users]).to(device)
            pairs, drawn = (users[timed], items[timed]), (unseen, options.negatives)
            return UserStream(*pairs, *sizes, options.batch_size, self.seed, *drawn)
        return TrainingStream(
            users, items, unseen, options.negatives, options.batch_size, self.seed
        )

    def _list_never_drawn(self, train: Interactions) -> Interactions:
        """Return the interactions whose items are no negatives of their user."""
        if self.options.exclude == "train":
            return train
        split = self.prepared.split
        parts = (split.train, split.validation, split.test)
        return reduce(concatenate, (replace(p, ratings=None, timestamps=None) for p in parts))

    def targets(self, part: Part) -> Targets:
        """Return the part's targets on the training device; each process judges its share."""
        if part not in self._targets:
            self._targets[part] = make_targets(self.prepared, part, self._device, self._share)
        return self._targets[part]

    @property
    def judged_part(self) -> Part:
        """What each epoch is judged on: validation, or test where there is none."""
        return "val" if self.options.validation else "test"

    def val_dataloader(self) -> Targets:
        return self.targets(self.judged_part)

    def test_dataloader(self) -> list[Targets]:
        targets = self.targets("test")
        if not self.full_ranking or isinstance(targets, CatalogueTargets):
            return [targets]
        return [targets, CatalogueTargets(self.prepared, "test", self._device, self._share)]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        """Return the batch as it is: born on the device, walking through it would cost time."""
        return batch

    @property
    def _share(self) -> Share:
        return Share(self.trainer.global_rank, self.trainer.world_size) if self.trainer else WHOLE

    @property
    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
