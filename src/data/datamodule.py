"""The LightningDataModule: prepared arrays in, training stream and evaluation targets out."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from annotated_types import Ge, Gt, Lt

from src.data.interactions import Interactions
from src.data.prepared import Part, Prepared
from src.data.preparing import PreparationOptions, prepare
from src.data.sources.source import Source
from src.data.stream import RatingStream, TrainingStream, Whole
from src.data.targets import CatalogueTargets, Targets, make_targets
from src.data.unseen import index_unseen, popularity_mass
from src.errors import UserError


class InteractionDataModule(pl.LightningDataModule):
    """Implicit feedback for training with fresh negatives, and for judging by ranks.

    Everything stays on the training device as whole tensors; batches are slices of them, so there
    are no worker processes and no transfers.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        cache: str,
        seed: int,
        split: Literal["leave-one-out", "ratio", "global-time"] = "leave-one-out",
        validation: bool = True,
        test_ratio: Annotated[float, Gt(0), Lt(1)] = 0.1,
        validation_ratio: Annotated[float, Gt(0), Lt(1)] = 0.1,
        candidates: Annotated[int, Ge(1)] | Literal["released", "all"] = 99,
        threshold: float | None = None,
        k_core: Annotated[int, Ge(1)] = 1,
        split_seed: Annotated[int, Ge(0)] = 0,
        negatives: Annotated[int, Ge(1)] = 4,
        popularity_power: Annotated[float, Ge(0)] = 0.0,
        batch_size: Annotated[int, Ge(1)] = 256,
        rated: bool = False,
        whole: bool = False,
        full_ranking: bool = False,
    ) -> None:
        """The options are explained in conf/train.yaml, under `data`; the last are the caller's.

        `rated`: ratings are to be predicted, and negatives are not drawn. `whole`: an epoch is the
        training part in one piece, instead of batches. `full_ranking`: test is ranked among the
        whole catalogue too, where it has sampled candidates.
        """
        super().__init__()
        self.source, self.cache, self.seed = source, Path(cache), seed
        self.data_name = name
        self.options = PreparationOptions(
            split=split,
            validation=validation,
            test_ratio=test_ratio,
            validation_ratio=validation_ratio,
            candidates=candidates,
            threshold=threshold,
            k_core=k_core,
            split_seed=split_seed,
        )
        self.negatives, self.batch_size = negatives, batch_size
        self.popularity_power = popularity_power
        self.rated, self.whole, self.full_ranking = rated, whole, full_ranking
        self._prepared: Prepared | None = None
        self._targets: dict[Part, Targets] = {}

    def merged(self) -> InteractionDataModule:
        """The same data with validation as part of training, and nothing to judge epochs on."""
        other = copy(self)
        other.__dict__.pop("train", None)  # cached
        other._prepared = replace(self.prepared, split=self.prepared.split.merged())
        other._targets = {}
        return other

    def prepare_data(self) -> None:
        """Makes the cached arrays if they are not there; Lightning calls it on one process."""
        _ = self.prepared

    @property
    def prepared(self) -> Prepared:
        """The prepared arrays, loaded on first use."""
        if self._prepared is None:
            self._prepared = prepare(self.data_name, self.source, self.options, self.cache)
        return self._prepared

    @cached_property
    def train(self) -> Interactions:
        """The training part as models may see it: with ratings only where these are predicted.

        Raises UserError when they are to be predicted and tell nothing.
        """
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

    def train_dataloader(self) -> TrainingStream | RatingStream | Whole:
        train, device = self.train, self._device
        if self.whole:
            return Whole(train)
        users = torch.from_numpy(train.users).to(device)
        items = torch.from_numpy(train.items).to(device)
        rank = self.trainer.global_rank if self.trainer else 0
        world_size = self.trainer.world_size if self.trainer else 1
        if train.ratings is not None:
            ratings = torch.from_numpy(train.ratings).to(device)
            return RatingStream(users, items, ratings, self.batch_size, self.seed, rank, world_size)
        mass = popularity_mass(train.items, train.n_items, self.popularity_power)
        unseen = index_unseen(train, mass, device)
        if (full := (unseen.mass == 0).nonzero()).numel():
            user = train.user_ids[int(full[0])]
            raise UserError(f"user {user} interacted with every item: there is no negative to draw")
        return TrainingStream(
            users, items, unseen, self.negatives, self.batch_size, self.seed, rank, world_size
        )

    def targets(self, part: Part) -> Targets:
        """The part's targets on the training device."""
        if part not in self._targets:
            self._targets[part] = make_targets(self.prepared, part, self._device)
        return self._targets[part]

    def val_dataloader(self) -> Targets:
        """What each epoch is judged on: validation, or test where the protocol selects on test."""
        return self.targets("val" if self.options.validation else "test")

    def test_dataloader(self) -> list[Targets]:
        targets = self.targets("test")
        if not self.full_ranking or isinstance(targets, CatalogueTargets):
            return [targets]
        return [targets, CatalogueTargets(self.prepared, "test", self._device)]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        """Batches are born on the device; walking through them again would cost time a step."""
        return batch

    @property
    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
