"""What every recommender must satisfy, for the tests of ours and of a user's own.

A test class inherits RecommenderContract and makes the model. Needs pytest, which is not installed
with this project unless its `dev` extra is asked for.

    from src.models.testing import N_ITEMS, N_USERS, RecommenderContract

    class TestMine(RecommenderContract):
        def make(self, n_users=N_USERS, n_items=N_ITEMS):
            return Mine(n_users, n_items, factors=4)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from src.data.interactions import Interactions
from src.data.stream import TrainingStream, UserBatch, UserStream
from src.data.unseen import UnseenLists
from src.models.fitted import Fitted
from src.models.recommender import Loss, Recommender

N_USERS, N_ITEMS = 7, 5
# No two users and no two items alike; ratings to be predicted where a model wants them
TRAIN = [[0, 1, 2], [1, 3], [0, 4], [2, 3, 4], [0, 1, 3, 4], [1, 2], [0, 2, 4]]


class CrossEntropy:
    """Binary cross-entropy in torch's own words: models know nothing of src.training."""

    def __call__(self, logits: Tensor) -> Tensor:
        return (softplus(-logits[:, 0]).sum() + softplus(logits[:, 1:]).sum()) / logits.numel()

    def gradient(self, logits: Tensor) -> Tensor:
        residuals = torch.sigmoid(logits)
        residuals[:, 0] -= 1
        return residuals / logits.numel()


def make_interactions(seen: Sequence[Sequence[int]], n_items: int) -> Interactions:
    """Return the training part in which users 0, 1, ... have these items, one after another."""
    counts = [len(items) for items in seen]
    return Interactions(
        np.repeat(np.arange(len(seen), dtype=np.int32), counts),
        np.fromiter(chain(*seen), np.int32),
        np.arange(len(seen)),
        np.arange(n_items),
        timestamps=np.arange(sum(counts)),
    )


def train_part(n_users: int, n_items: int) -> Interactions:
    """Return what these first users and items have to do with each other in TRAIN."""
    # nobody is without an item
    rows = [[item for item in items if item < n_items] or [0] for items in TRAIN[:n_users]]
    return make_interactions(rows, n_items)


def prepare(model: Recommender, train: Interactions) -> None:
    """Bring a model to where it can score: observe the training part and fit to it."""
    model.observe(train)
    if isinstance(model, Fitted):
        model.fit(train)


def list_shapes(model: Recommender) -> dict[str, torch.Size]:
    """Return the shape of each parameter and buffer by its name."""
    return {name: value.shape for name, value in model.state_dict().items()}


class RecommenderContract:
    """The tests of a model. A subclass implements `make`, and says what holds for its model."""

    personal = True
    """Whether scores differ between users and follow from what users did."""
    learns = True
    """Whether it can tell whose taste is whose at all."""
    loss: Loss = CrossEntropy()
    """What a model with gradients is trained with."""
    epochs = 100
    """How long it is trained, with one step an epoch."""

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        """Make the model freshly, with options of the subclass's choice."""
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> Recommender:
        torch.manual_seed(0)
        # double precision, so that only real differences show
        model = self.make().eval()
        prepare(model, train_part(N_USERS, N_ITEMS))
        model.double()
        # away from the near-zero initialization, where wrong scores look alike
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_()
        return model

    def test_one_user_to_one_item(self, model: Recommender) -> None:
        users, items = torch.tensor([0, 3, 6]), torch.tensor([4, 0, 2])
        assert model(users, items).shape == (3,)

    def test_one_user_to_many_items_is_pairwise(self, model: Recommender) -> None:
        users, items = torch.tensor([0, 6]), torch.tensor([[0, 1, 4], [2, 2, 3]])
        grouped = model(users, items)
        assert grouped.shape == (2, 3)
        pairwise = model(users.repeat_interleave(3), items.flatten()).view(2, 3)
        torch.testing.assert_close(grouped, pairwise)

    def test_as_many_users_as_items_in_a_row(self, model: Recommender) -> None:
        users = torch.tensor([1, 2, 3])
        items = torch.tensor([[0, 1, 2], [1, 2, 3], [2, 3, 4]])
        torch.testing.assert_close(model(users, items)[1], model(users[[1, 1, 1]], items[1]))

    def test_score_all_is_pairwise(
        self, model: Recommender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        users = torch.tensor([5, 0, 5, 6])
        every_item = torch.arange(N_ITEMS).expand(4, N_ITEMS)
        expected = model(users, every_item)
        torch.testing.assert_close(model.score_all(users), expected)
        torch.testing.assert_close(Recommender.score_all(model, users), expected)
        # in chunks of one user
        monkeypatch.setattr("src.models.recommender.PAIRS_PER_CHUNK", {"cpu": 1})
        torch.testing.assert_close(Recommender.score_all(model, users), expected)
        monkeypatch.setattr("src.models.fitted.SCORES_PER_CHUNK", 1)
        torch.testing.assert_close(model(users, every_item), expected)

    def test_scores_differ_between_users_and_items(self, model: Recommender) -> None:
        scores = model.score_all(torch.arange(N_USERS))
        assert len(scores.unique(dim=0)) == (N_USERS if self.personal else 1)
        assert len(scores.unique(dim=1).T) == N_ITEMS

    def test_every_parameter_is_used(self, model: Recommender) -> None:
        if isinstance(model, Fitted):
            assert not list(model.parameters())
            return
        model.train().score_all(torch.arange(N_USERS)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name

    def test_saved_and_loaded_it_scores_the_same(self, model: Recommender) -> None:
        # from the checkpoint alone, without the data
        copy = self.make().double().eval()
        copy.load_state_dict(model.state_dict())
        users = torch.arange(N_USERS)
        assert torch.equal(copy.score_all(users), model.score_all(users))

    def test_its_recipe_makes_it_again(self) -> None:
        # as a checkpoint does, which holds the recipe, the sizes of the data and the weights
        model = self.make()
        options = {key: it for key, it in model.recipe.items() if key != "_target_"}
        again = type(model)(n_users=N_USERS, n_items=N_ITEMS, **options)
        assert again.recipe == model.recipe
        assert list_shapes(again) == list_shapes(model)

    def test_same_seed_same_model(self) -> None:
        def weights() -> list[Tensor]:
            torch.manual_seed(5)
            model = self.make()
            prepare(model, train_part(N_USERS, N_ITEMS))
            return list(model.state_dict().values())

        for one, other in zip(weights(), weights(), strict=True):
            assert torch.equal(one, other)

    def test_one_user_and_one_item(self) -> None:
        model = self.make(n_users=1, n_items=1)
        prepare(model, train_part(1, 1))
        scores = model.eval().score_all(torch.tensor([0]))
        assert scores.shape == (1, 1)
        assert scores.isfinite().all()

    def test_users_and_items_never_seen_in_training(self) -> None:
        model = self.make(n_users=N_USERS + 1, n_items=N_ITEMS + 1)
        seen = train_part(N_USERS, N_ITEMS)
        train = replace(seen, user_ids=np.arange(N_USERS + 1), item_ids=np.arange(N_ITEMS + 1))
        prepare(model, train)
        users = torch.arange(N_USERS + 1)
        with torch.no_grad():
            assert model.eval().score_all(users).isfinite().all()
            assert model(users, torch.full((N_USERS + 1, 2), N_ITEMS)).isfinite().all()

    def test_everyone_likes_everything(self) -> None:
        model = self.make(n_users=3, n_items=4)
        prepare(model, make_interactions([[0, 1, 2, 3]] * 3, 4))
        assert model.eval().score_all(torch.arange(3)).isfinite().all()

    def test_learns_the_checkerboard(self) -> None:
        """Find the diagonal: even users like even items and odd users odd ones.

        In the order of time each goes round from the item after his own, which comes next.
        """
        if not (self.personal and self.learns):
            pytest.skip("knows no tastes")
        torch.manual_seed(0)
        n = 10
        board = make_interactions([[(u + k) % n for k in range(2, n, 2)] for u in range(n)], n)
        model = self.make(n_users=n, n_items=n)
        model.observe(board)
        if isinstance(model, Fitted):
            for _ in range(10 if model.iterative else 1):
                model.fit(board)
        else:
            self.train(model, board)
        with torch.no_grad():
            scores = model.eval().score_all(torch.arange(n))
        found = 0
        for user in range(n):
            unseen = [i for i in range(n) if i == user or i % 2 != user % 2]
            found += max(unseen, key=lambda item: scores[user, item]) == user
        assert found >= 0.9 * n  # by chance one in six

    def train(self, model: Recommender, data: Interactions) -> None:
        """Train the model by gradients, all examples in one batch, with fresh negatives."""
        users, items = torch.from_numpy(data.users), torch.from_numpy(data.items)
        stream: TrainingStream | UserStream
        if model.sequential:
            sizes = data.n_users, data.n_items
            stream = UserStream(users, items, *sizes, 1000, 0, UnseenLists(data), negatives=2)
        else:
            stream = TrainingStream(users, items, UnseenLists(data), 2, 1000, seed=0)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        for epoch in range(self.epochs):
            optimizer.zero_grad()
            batch = stream.batch(epoch, 0)
            if isinstance(batch, UserBatch):
                logits = model.score_places(batch.users, batch.negatives)
            else:
                logits = model(batch.users, batch.items)
            self.loss(logits).backward()
            optimizer.step()

    def test_squared_norms_are_means_over_examples(self, model: Recommender) -> None:
        users, items = torch.tensor([0, 1]), torch.tensor([[0, 1, 2], [3, 3, 4]])
        expected = (
            model.user_rows(users).square().sum(1).mean()
            + model.item_rows(items).square().sum(2).mean()
        )
        torch.testing.assert_close(model.squared_norms(users, items), expected)

    @pytest.mark.parametrize("l2", [0.0, 0.3])
    def test_explicit_gradients_are_autograds(self, model: Recommender, l2: float) -> None:
        if not model.explicit:
            pytest.skip("trained by autograd")
        model.train()
        users = torch.tensor([0, 6, 0])  # a user and an item that repeat
        items = torch.tensor([[0, 1, 2, 2], [3, 3, 4, 0], [1, 0, 0, 4]])
        loss = CrossEntropy()
        torch.manual_seed(1)  # the same dropout in both
        expected = loss(model(users, items))
        (expected + l2 * model.squared_norms(users, items)).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 7.0)  # of the step before
        torch.manual_seed(1)
        found = model.differentiate(users, items, loss, l2)
        torch.testing.assert_close(found, expected)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], msg=name)
