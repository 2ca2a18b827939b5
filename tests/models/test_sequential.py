"""SASRec and NeuMF with a history: the contract, what a place sees, windows, what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from src.errors import UserError
from src.models.neumf_seq import MLPOfHistory, NeuMFSeq
from src.models.sequential import SASRec, SequentialRecommender
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from src.training.losses import MSE, FullSoftmax
from src.training.module import RecommenderModule
from tests.data.fakes import interactions


class TestSASRec(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> SASRec:
        return SASRec(n_users, n_items, factors=8, length=3, dropout=0.0)


class TestNeuMFSeq(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NeuMFSeq:
        return NeuMFSeq(n_users, n_items, factors=8, hidden=6, length=3, dropout=0.0)


class TestGMFOfHistory(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NeuMFSeq:
        return NeuMFSeq(n_users, n_items, factors=8, length=3, dropout=0.0, branches="gmf")


class TestMLPOfHistory(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NeuMFSeq:
        return NeuMFSeq(n_users, n_items, factors=8, length=3, dropout=0.0, branches="mlp")


KINDS = [SASRec, NeuMFSeq]
# in order of time: 3 1 0 2 4 | 2 | nothing | 1 0
SEEN, TIMES = [[0, 1, 2, 3, 4], [2], [], [1, 0]], [[3, 2, 4, 1, 5], [9], [], [5, 5]]
IN_ORDER = [[3, 1, 0, 2, 4], [2], [], [1, 0]]
N = 6


def make(kind: type[SequentialRecommender], length: int) -> SequentialRecommender:
    torch.manual_seed(0)
    model = kind(4, N, factors=4, length=length)  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    model.observe(interactions(SEEN, N, TIMES))
    return model.eval()


def score_alone(model: SequentialRecommender, user: int, before: list[int]) -> Tensor:
    """Score every item for a user whose history is this and nothing else: [N]."""
    started = torch.tensor([model.encoder.start, *before])[-model.encoder.length :]
    state = model.encoder(started[None], torch.tensor([len(started)]))[:, -1:]
    vector = model.describe(torch.tensor([user]), state)
    return model.match(vector, torch.arange(N)[None, None])[0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [2, 5, 9])
def test_scores_are_of_the_last_items_in_order_of_time(
    kind: type[SequentialRecommender], length: int
) -> None:
    model = make(kind, length)
    expected = torch.stack([score_alone(model, u, items) for u, items in enumerate(IN_ORDER)])
    torch.testing.assert_close(model.score_all(torch.arange(4)), expected)
    candidates = torch.tensor([[5, 0], [1, 1], [2, 3]])
    found = model.score_candidates(torch.tensor([3, 0, 2]), candidates)
    torch.testing.assert_close(found, expected[[3, 0, 2]].gather(1, candidates))


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_is_scored_from_what_came_before_it(kind: type[SequentialRecommender]) -> None:
    model = make(kind, length=9)
    # places are counted from the end: without them a shorter history is the beginning of a longer
    model.encoder.places.weight.data.zero_()
    negatives = torch.tensor([[5, 5], [0, 5], [3, 4]])
    users = torch.tensor([0, 1, 3])
    found = model.score_places(users, negatives)
    expected = []
    # sequences are sorted by length
    for row in (1, 2, 0):
        user, own = int(users[row]), IN_ORDER[int(users[row])]
        for place, item in enumerate(own):
            scores = score_alone(model, user, own[:place])
            expected.append(scores[[item, *negatives[row].tolist()]])
    torch.testing.assert_close(found, torch.stack(expected))


def test_no_place_sees_its_own_item_or_a_later_one() -> None:
    model = make(SASRec, length=9)
    sequence = torch.tensor([[6, 3, 1, 0]])
    before = model.encoder(sequence, torch.tensor([4]))
    for place in range(1, 4):
        other = sequence.clone()
        other[0, place:] = 5
        after = model.encoder(other, torch.tensor([4]))
        torch.testing.assert_close(after[:, :place], before[:, :place])
        assert not torch.allclose(after[:, place], before[:, place])


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_history_is_learned_from_in_windows_that_miss_nothing(
    kind: type[SequentialRecommender],
) -> None:
    model = make(kind, length=2)
    model.encoder.places.weight.data.zero_()
    found = model.score_places(torch.tensor([0]), torch.tensor([[5]]))
    # 3 | 1 0 | 2 4: each window begins with the item before it
    inputs = [([], 3), ([3], 1), ([3, 1], 0), ([0], 2), ([0, 2], 4)]
    expected = []
    for before, item in inputs:
        ids = torch.tensor([before or [model.encoder.start]])
        state = model.encoder(ids, torch.tensor([ids.shape[1]]))[:, -1:]
        vector = model.describe(torch.tensor([0]), state)
        expected.append(model.match(vector, torch.tensor([[[item, 5]]]))[0, 0])
    # found in another order: the shortest window first
    torch.testing.assert_close(found.sort(0).values, torch.stack(expected).sort(0).values)


def test_whoever_is_given_by_his_items_is_scored_in_their_order() -> None:
    model = make(SASRec, length=3)
    torch.testing.assert_close(
        model.fold_in(torch.tensor(IN_ORDER[0])), model.score_all(torch.tensor([0]))[0]
    )
    assert not torch.allclose(
        model.fold_in(torch.tensor([1, 0])), model.fold_in(torch.tensor([0, 1]))
    )


def test_the_perceptron_s_gradients() -> None:
    torch.manual_seed(0)
    model = MLPOfHistory(5, factors=3, hidden=4).double()
    user = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    item = torch.randn(2, 5, 4, dtype=torch.double, requires_grad=True)

    def score(user: Tensor, item: Tensor, weight: Tensor) -> Tensor:
        # row by row of each state, as positives are scored
        rows = item[:, None].expand(-1, 3, -1, -1)
        return ((user[:, :, None] + rows).relu() * weight).sum(3)

    expected = score(user, item, model.weight)
    found = model(user, item[:, None])
    torch.testing.assert_close(found, expected)
    of = user, item, model.weight
    slopes = torch.randn_like(found)
    torch.testing.assert_close(
        torch.autograd.grad(found, of, slopes), torch.autograd.grad(expected, of, slopes)
    )


def test_a_user_s_own_row_is_nobody_else_s() -> None:
    model = make(NeuMFSeq, length=3)
    assert isinstance(model, NeuMFSeq)
    known = model.score_all(torch.tensor([0]))[0]
    assert not torch.allclose(model.fold_in(torch.tensor(IN_ORDER[0])), known)
    model.users.weight.data.zero_()
    torch.testing.assert_close(
        model.fold_in(torch.tensor(IN_ORDER[0])), model.score_all(torch.tensor([0]))[0]
    )


@pytest.mark.parametrize("loss", [FullSoftmax(), MSE()])
def test_a_loss_on_anything_but_negatives_is_refused(loss: object) -> None:
    with pytest.raises(UserError, match="SASRec learns from a positive and negatives"):
        RecommenderModule(SASRec(3, 4), loss)  # type: ignore[arg-type]


def test_data_without_times_are_refused() -> None:
    with pytest.raises(UserError, match="nobody has times here"):
        SASRec(1, 4).observe(interactions([[1]], 4))
