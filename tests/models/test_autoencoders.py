"""Mult-DAE, Mult-VAE and RecVAE: the contract, their codes by hand, and what learns when."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from src.errors import UserError
from src.models.autoencoders import Autoencoder, Histories, HistoryLayer, MultDAE, MultVAE
from src.models.recvae import RecVAE
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from src.training.losses import BCE
from src.training.module import RecommenderModule
from tests.data.fakes import interactions


class TestMultDAE(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MultDAE:
        return MultDAE(n_users, n_items, factors=8)


class TestMultVAE(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MultVAE:
        return MultVAE(n_users, n_items, factors=4, hidden=8)


class TestRecVAE(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> RecVAE:
        return RecVAE(n_users, n_items, factors=4, hidden=8)


SEEN = [[0, 1, 2, 3], [2], [1, 3]]
TRAIN = interactions(SEEN, 4)


def observed(model: Autoencoder) -> Autoencoder:
    model.observe(TRAIN)
    return model


@pytest.mark.parametrize("kind", [MultDAE, MultVAE, RecVAE])
def test_a_training_user_s_items_give_that_user_s_scores(kind: type[Autoencoder]) -> None:
    torch.manual_seed(0)
    model = observed(kind(3, 4)).eval()
    expected = model.score_all(torch.arange(3))
    for user, items in enumerate(SEEN):
        torch.testing.assert_close(model.fold_in(torch.tensor(items)), expected[user])


def test_histories_are_vectors_of_length_one() -> None:
    layer = HistoryLayer(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 7.0]]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    found = layer(Histories(torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])), 0.0)
    # (1 + 3) / sqrt(2); nobody's; item 2's
    torch.testing.assert_close(
        found, torch.tensor([[4 / 2**0.5 + 0.5, 2 / 2**0.5], [0.5, 0.0], [5.5, 7.0]])
    )


def test_multdae_by_hand() -> None:
    model = observed(MultDAE(3, 4, factors=1)).eval()
    decoder = model.decoder
    assert isinstance(decoder, torch.nn.Linear)
    with torch.no_grad():
        model.input.weight.copy_(torch.tensor([[1.0], [2.0], [-1.0], [0.0]]))
        decoder.weight.copy_(torch.tensor([[1.0], [0.0], [2.0], [-1.0]]))
        decoder.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    code = math.tanh((1 + 2 - 1 + 0) / 2)
    expected = [code, 1.0, 2 * code, -code]
    torch.testing.assert_close(model.score_all(torch.tensor([0]))[0], torch.tensor(expected))


def test_multvae_s_divergence_grows_to_its_weight() -> None:
    model = observed(MultVAE(3, 4, factors=1, hidden=1, kl_weight=0.5, annealing_steps=4)).train()
    with torch.no_grad():
        model.moments.weight.zero_()
        # mean 2, variance 3
        model.moments.bias.copy_(torch.tensor([2.0, math.log(3)]))
    of_one = (4 + 3 - math.log(3) - 1) / 2
    found = [model.score_rows(torch.tensor([0, 1]))[1].item() for _ in range(6)]
    weights = [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert found == pytest.approx([2 * of_one * weight for weight in weights])


def learn(model: RecVAE) -> set[str]:
    """Name the parts of the model that a step would teach."""
    model.zero_grad()
    scores, more = model.score_rows(torch.tensor([0, 1, 2]))
    (scores.square().sum() + more).backward()
    return {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}


def test_encoder_and_decoder_of_recvae_learn_in_turn() -> None:
    model = observed(RecVAE(3, 4, factors=2, hidden=3, encoder_epochs=2)).train()
    assert isinstance(model, RecVAE)
    taught = []
    for epoch in range(6):
        model.begin_epoch(epoch)
        taught.append(learn(model))
    encoder, decoder = {"encoder"}, {"decoder"}
    assert taught == [encoder, encoder, decoder, encoder, encoder, decoder]


def test_the_prior_of_recvae_is_of_the_encoder_before() -> None:
    torch.manual_seed(0)
    model = observed(RecVAE(3, 4, factors=2, hidden=3, encoder_epochs=2)).train()
    assert isinstance(model, RecVAE)
    histories = model.read_histories(torch.tensor([0, 1]))
    codes = torch.tensor([[0.3, -1.0], [2.0, 0.5]])

    def mix(mean: Tensor, variance: Tensor) -> Tensor:
        def density(mean: Tensor, variance: Tensor) -> Tensor:
            return torch.distributions.Normal(mean, variance.sqrt()).log_prob(codes).exp()

        zeros, ones = torch.zeros(2, 2), torch.ones(2, 2)
        normals = 0.15 * density(zeros, ones) + 0.1 * density(zeros, ones * math.exp(10))
        return (normals + 0.75 * density(mean, variance)).log()

    first = model.encoder(histories, 0.0)
    expected = mix(first[0], first[1].exp())
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(0.1)
    model.begin_epoch(1)
    torch.testing.assert_close(model._log_prior(histories, codes), expected)
    model.begin_epoch(2)
    second = model.encoder(histories, 0.0)
    expected = mix(second[0], second[1].exp())
    torch.testing.assert_close(model._log_prior(histories, codes), expected)


def test_a_loss_on_single_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="MultVAE learns from all items of a user together"):
        RecommenderModule(MultVAE(3, 4), BCE())
