"""What every recommender must satisfy; a model's test class inherits it and makes the model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from src.models import Recommender
from src.training.losses import BCE

N_USERS, N_ITEMS = 7, 5


class RecommenderContract:
    """Subclasses implement `make`."""

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> Recommender:
        torch.manual_seed(0)
        # double precision, so that only real differences show
        model = self.make().double().eval()
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
        monkeypatch.setattr("src.models.base.PAIRS_PER_CHUNK", {"cpu": 1})
        torch.testing.assert_close(Recommender.score_all(model, users), expected)

    def test_scores_differ_between_users_and_items(self, model: Recommender) -> None:
        scores = model.score_all(torch.arange(N_USERS))
        assert len(scores.unique(dim=0)) == N_USERS
        assert len(scores.unique(dim=1).T) == N_ITEMS

    def test_every_parameter_is_used(self, model: Recommender) -> None:
        model.train().score_all(torch.arange(N_USERS)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name

    def test_saved_and_loaded_it_scores_the_same(self, model: Recommender) -> None:
        copy = self.make().double().eval()
        copy.load_state_dict(model.state_dict())
        users = torch.arange(N_USERS)
        assert torch.equal(copy.score_all(users), model.score_all(users))

    def test_same_seed_same_model(self) -> None:
        def weights() -> list[Tensor]:
            torch.manual_seed(5)
            return list(self.make().state_dict().values())

        for one, other in zip(weights(), weights(), strict=True):
            assert torch.equal(one, other)

    def test_one_user_and_one_item(self) -> None:
        model = self.make(n_users=1, n_items=1)
        assert model.score_all(torch.tensor([0])).shape == (1, 1)

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
        loss = BCE()
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
