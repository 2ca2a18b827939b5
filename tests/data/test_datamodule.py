from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.interactions import UNKNOWN_TIME, Interactions
from src.data.sources.movielens import MovieLens
from src.data.sources.released import ReleasedNCF
from src.data.sources.source import ReleasedSplit, Source
from src.data.stream import TrainingStream, UserStream
from src.data.targets import CandidateTargets, CatalogueTargets
from src.errors import UserError
from src.evaluation.metrics import metrics_at, ranks
from tests.data.fakes import FakeSource, interactions

SEEN = [[0, 1, 2, 3], [2, 3, 4], [5, 0, 1], [6, 1, 0]]


def datamodule(source: Source, cache: Path, **options: Any) -> InteractionDataModule:
    own = {key: options.pop(key) for key in ("seed", "full_ranking") if key in options}
    full = {"full_ranking": False, **own}
    return InteractionDataModule(source, DataOptions(**options), name="toy", cache=cache, **full)


def toy(cache: Path, seen: list[list[int]] = SEEN, **options: Any) -> InteractionDataModule:
    """Return data with each user's items in the order of time; no user has item 7."""
    times = [list(range(len(items))) for items in seen]
    source = FakeSource(interactions(seen, 8, times))
    return datamodule(source, cache, **{"candidates": 2, **options})


def epoch(stream: TrainingStream, number: int) -> tuple[Tensor, Tensor]:
    """Return users and items of all batches."""
    stream.set_epoch(number)
    users, items = zip(*chain.from_iterable(stream), strict=True)
    return torch.cat(users), torch.cat(items)


def drawn_negatives(data: InteractionDataModule, epochs: int = 50) -> set[tuple[int, int]]:
    stream = data.train_dataloader()
    pairs = set()
    for number in range(epochs):
        users, items = epoch(stream, number)
        for user, row in zip(users.tolist(), items[:, 1:].tolist(), strict=True):
            pairs |= {(user, item) for item in row}
    return pairs


def test_loaders_work_without_a_trainer(tmp_path: Path) -> None:
    data = toy(tmp_path, negatives=4, batch_size=10)
    data.prepare_data()
    users, items = epoch(data.train_dataloader(), 0)
    assert data.train_dataloader().n_steps == 3  # five training positives, two a batch
    assert sorted(zip(users.tolist(), items[:, 0].tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 2),
        (2, 5),
        (3, 6),
    ]
    val, (test,) = data.val_dataloader(), data.test_dataloader()
    assert isinstance(val, CandidateTargets)
    assert val.targets.tolist() == [2, 3, 0, 1]
    assert test.targets.tolist() == [3, 4, 1, 0]
    assert [batch.items.shape for batch in val] == [(4, 3)]


def test_without_validation_each_epoch_is_judged_on_test(tmp_path: Path) -> None:
    data = toy(tmp_path, validation=False)
    assert data.val_dataloader().targets.tolist() == [3, 4, 1, 0]
    assert len(data.prepared.split.train) == 9


def test_targets_are_made_once(tmp_path: Path) -> None:
    data = toy(tmp_path)
    assert data.val_dataloader() is data.val_dataloader()
    assert data.val_dataloader() is not data.test_dataloader()[0]


def test_the_whole_catalogue_has_catalogue_targets(tmp_path: Path) -> None:
    assert isinstance(toy(tmp_path, candidates="all").val_dataloader(), CatalogueTargets)


def test_prepared_data_does_not_depend_on_the_seed_but_training_does(tmp_path: Path) -> None:
    one, other = (toy(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    assert one.prepared.fingerprint == other.prepared.fingerprint
    assert torch.equal(one.test_dataloader()[0].items, other.test_dataloader()[0].items)  # type: ignore[union-attr]
    first, second = (epoch(data.train_dataloader(), 0)[1] for data in (one, other))
    assert not torch.equal(first, second)


def test_held_out_items_are_training_negatives_like_any_other(tmp_path: Path) -> None:
    """Keep held-out items: leaving them out would tell the model which ones are held out."""
    train = {0: {0, 1}, 1: {2}, 2: {5}, 3: {6}}
    assert drawn_negatives(toy(tmp_path)) == {
        (user, item) for user, items in train.items() for item in set(range(7)) - items
    }


def test_held_out_items_are_no_negatives_where_all_are_excluded(tmp_path: Path) -> None:
    assert drawn_negatives(toy(tmp_path, exclude="all")) == {
        (user, item) for user, items in enumerate(SEEN) for item in set(range(7)) - set(items)
    }


def test_popular_items_are_drawn_more_often(tmp_path: Path) -> None:
    seen = [[0, 1, 2], [0, 1, 2], [0, 2, 1], [3, 4, 5]]
    data = toy(tmp_path, seen, popularity_power=1.0, negatives=100)
    users, items = epoch(data.train_dataloader(), 0)
    # item 0 has three of the four training interactions, item 3 the other
    assert (items[users == 3, 1:] == 0).float().mean() > 0.99
    assert (items[users == 0, 1:] == 3).float().mean() > 0.99


def test_a_user_with_every_item_is_named(tmp_path: Path) -> None:
    train = interactions([[0], [0, 1, 2], [1]], 3)
    split = ReleasedSplit(train, interactions([[1], [], [2]], 3), np.array([[2], [0]], np.int32))
    data = datamodule(FakeSource(split), tmp_path, validation=False, candidates="released")
    with pytest.raises(UserError, match="user 1001 interacted with every item"):
        data.train_dataloader()


def test_a_user_with_all_but_one_item_always_gets_that_one(tmp_path: Path) -> None:
    train = interactions([[0, 1, 3], [2]], 4)
    split = ReleasedSplit(train, interactions([[2], [0]], 4), np.array([[1], [1]], np.int32))
    data = datamodule(FakeSource(split), tmp_path, validation=False, candidates="released")
    assert {item for user, item in drawn_negatives(data) if user == 0} == {2}


def test_sequences_are_of_users_with_times(tmp_path: Path) -> None:
    times = [[0, 1, 2, 3], [UNKNOWN_TIME] * 3, [0, 1, 2], [2, 1, 0]]
    data = datamodule(
        FakeSource(interactions(SEEN, 8, times)), tmp_path, candidates=2, negatives=3, batch_size=9
    )
    data.feed(rated=False, whole=False, sequential=True)
    stream = data.train_dataloader()
    assert isinstance(stream, UserStream)
    batch = stream.batch(0, 0)
    assert sorted(batch.users.tolist()) == [0, 2, 3]
    assert batch.negatives.shape == (3, 3)


def test_batches_are_not_moved(tmp_path: Path) -> None:
    batch = object()
    assert toy(tmp_path).transfer_batch_to_device(batch, torch.device("meta"), 0) is batch


# real data


@pytest.fixture(scope="module")
def released(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[bool, InteractionDataModule]:
    """Prepare the paper's ML-1M split with and without a validation part."""
    source = ReleasedNCF("ml-1m", str(shared_data))
    cache = tmp_path_factory.mktemp("released")
    return {
        validation: datamodule(source, cache, validation=validation, candidates="released")
        for validation in (True, False)
    }


def test_released_ml_1m_has_the_published_sizes(
    released: dict[bool, InteractionDataModule],
) -> None:
    for validation, n_train in ((False, 994_169), (True, 988_129)):
        prepared = released[validation].prepared
        assert (prepared.n_users, prepared.n_items) == (6040, 3706)
        assert len(prepared.split.train) == n_train
        assert len(prepared.split.validation) == (6040 if validation else 0)
        assert prepared.split.test.users.tolist() == list(range(6040))
        assert prepared.candidates is not None
        assert prepared.candidates["test"].shape == (6040, 99)


def test_popularity_on_released_ml_1m(released: dict[bool, InteractionDataModule]) -> None:
    """Compare with about .454 and .254, which He et al. 2017 show in figure 5."""
    data = released[False]
    train = data.prepared.split.train
    popularity = torch.from_numpy(np.bincount(train.items, minlength=train.n_items))
    (targets,) = data.test_dataloader()
    collected = []
    for batch in targets:
        scores, same = popularity[batch.items], batch.items[:, 1:] == batch.items[:, :1]  # type: ignore[union-attr]
        collected.append(ranks(scores[:, 0], scores[:, 1:], same))
    judged = metrics_at(torch.cat(collected), [10])
    found = [round(judged[name].mean().item(), 4) for name in ("hr@10", "ndcg@10")]
    assert found == [0.4531, 0.2541]


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m-first-2998-users"])
def test_test_items_of_raw_movielens_are_the_latest(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    folder = str(shared_data / name)
    source = MovieLens("ml-100k" if name == "ml-100k" else "ml-1m", root="", path=folder)
    raw = source.read()
    split = datamodule(source, tmp_path).prepared.split

    def latest(data: Interactions) -> np.ndarray:
        assert data.timestamps is not None
        times = np.zeros(data.n_users, np.int64)
        np.maximum.at(times, data.users, data.timestamps)
        return times

    assert sorted(split.test.users.tolist()) == list(range(raw.n_users))
    assert np.array_equal(latest(split.test), latest(raw))
    assert (latest(split.validation) <= latest(split.test)).all()
    assert (latest(split.train) <= latest(split.validation)).all()
    assert len(split.train) + 2 * raw.n_users == len(raw)
