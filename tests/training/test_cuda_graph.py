"""Steps that a GPU replays from a recording, with the recording replaced by the work itself."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from src.data.stream import Batch
from src.models import NeuMF
from src.training.adam import Adam
from src.training.cuda_graph import WARM_UP, CapturedSteps, Recorder, Work
from src.training.losses import BCE
from tests.training.test_no_waiting import NoWaiting

N_USERS, N_ITEMS, PER_BATCH = 6, 9, 4
# What float32 holds exactly: a rate on the device has no other digits
RATES = [2**-6] * 6 + [2**-8] * 3


def make_model() -> tuple[NeuMF, Adam]:
    torch.manual_seed(0)
    model = NeuMF(N_USERS, N_ITEMS, factors=4)
    return model, Adam(model.parameters(), lr=RATES[0])


def draw_batches() -> list[Batch]:
    """Return two epochs, each of which ends with a smaller batch."""
    generator = torch.Generator().manual_seed(1)
    sizes = [PER_BATCH] * 5 + [2, PER_BATCH, PER_BATCH, 1]
    return [
        Batch(
            torch.randint(N_USERS, (size,), generator=generator),
            torch.randint(N_ITEMS, (size, 3), generator=generator),
        )
        for size in sizes
    ]


def differentiate(model: NeuMF) -> partial[Tensor]:
    return partial(model.differentiate, loss=BCE(), l2=0.01)


class Tape(Recorder):
    """Notes what is recorded, and that a recording is of the same tensors ever after."""

    def __init__(self) -> None:
        self.warmed_up = self.recorded = self.replayed = 0

    def warm_up(self, work: Work) -> Tensor:
        self.warmed_up += 1
        return work()

    def record(self, work: Work) -> Work:
        self.recorded += 1

        def replay() -> Tensor:
            self.replayed += 1
            return work()

        return replay


def test_captured_steps_are_adam_s_to_the_last_bit() -> None:
    model, optimizer = make_model()
    captured_model, captured_optimizer = make_model()
    steps = CapturedSteps(
        differentiate(captured_model), captured_optimizer, PER_BATCH, recorder=Recorder()
    )
    for batch, rate in zip(draw_batches(), RATES, strict=True):
        optimizer.param_groups[0]["lr"] = captured_optimizer.param_groups[0]["lr"] = rate
        loss = model.differentiate(*batch, BCE(), 0.01)
        optimizer.step()
        assert torch.equal(steps.step(batch), loss)
    for (name, expected), found in zip(
        model.named_parameters(), captured_model.parameters(), strict=True
    ):
        assert torch.equal(found, expected), name


def test_a_checkpoint_of_captured_steps_is_the_optimizer_s() -> None:
    model, optimizer = make_model()
    captured_model, captured_optimizer = make_model()
    steps = CapturedSteps(
        differentiate(captured_model), captured_optimizer, PER_BATCH, recorder=Recorder()
    )
    for batch in draw_batches():
        model.differentiate(*batch, BCE(), 0.01)
        optimizer.step()
        steps.step(batch)
    expected, found = optimizer.state_dict(), captured_optimizer.state_dict()
    assert found["param_groups"] == expected["param_groups"]
    torch.testing.assert_close(found["state"], expected["state"], rtol=0, atol=0)
    # and steps go on from one
    resumed = CapturedSteps(
        differentiate(captured_model), captured_optimizer, PER_BATCH, recorder=Recorder()
    )
    batch = draw_batches()[0]
    model.differentiate(*batch, BCE(), 0.01)
    optimizer.step()
    resumed.step(batch)
    assert torch.equal(captured_model.table.weight, model.table.weight)


def test_one_recording_of_one_place_serves_every_full_batch() -> None:
    model, optimizer = make_model()
    tape = Tape()
    places = []

    def watched(users: Tensor, items: Tensor) -> Tensor:
        places.append((len(users), users.data_ptr(), items.data_ptr()))
        return model.differentiate(users, items, BCE())

    steps = CapturedSteps(watched, optimizer, PER_BATCH, recorder=tape)
    batches = draw_batches()
    for batch in batches:
        steps.step(batch)
    n_full = sum(len(batch.users) == PER_BATCH for batch in batches)
    assert (tape.warmed_up, tape.recorded, tape.replayed) == (WARM_UP, 1, n_full - WARM_UP)
    assert len({place for place in places if place[0] == PER_BATCH}) == 1
    assert optimizer.param_groups[0]["step"] == len(batches)


def test_an_epoch_of_one_small_batch_records_nothing() -> None:
    model, optimizer = make_model()
    tape = Tape()
    steps = CapturedSteps(differentiate(model), optimizer, PER_BATCH, recorder=tape)
    for batch in draw_batches()[5:6] * 5:
        steps.step(batch)
    assert (tape.warmed_up, tape.recorded) == (0, 0)


def test_what_is_recorded_waits_for_nothing() -> None:
    model, optimizer = make_model()
    steps = CapturedSteps(differentiate(model), optimizer, PER_BATCH, recorder=Recorder())
    with NoWaiting():
        for batch in draw_batches():
            steps.step(batch)


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_every_replay_drops_other_features(device: str) -> None:
    torch.manual_seed(0)
    model = NeuMF(N_USERS, N_ITEMS, factors=4, dropout=0.5).to(device)
    torch.nn.init.normal_(model.table.weight)
    recorder = Recorder() if device == "cpu" else None
    unchanging = Adam(model.parameters(), lr=0)
    steps = CapturedSteps(differentiate(model), unchanging, PER_BATCH, recorder=recorder)
    batch = Batch(*(tensor.to(device) for tensor in draw_batches()[0]))
    losses = [steps.step(batch).item() for _ in range(WARM_UP + 8)]
    assert len(set(losses)) > 8


@NEEDS_GPU
def test_on_a_gpu_a_replay_is_the_step_itself() -> None:
    model, optimizer = make_model()
    model.cuda()
    captured_model, captured_optimizer = make_model()
    captured_model.cuda()
    steps = CapturedSteps(differentiate(captured_model), captured_optimizer, PER_BATCH)
    batches = [Batch(*(tensor.cuda() for tensor in batch)) for batch in draw_batches()]
    for batch, rate in zip(batches, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = captured_optimizer.param_groups[0]["lr"] = rate
        loss = model.differentiate(*batch, BCE(), 0.01)
        optimizer.step()
        torch.testing.assert_close(steps.step(batch), loss)
    for expected, found in zip(model.parameters(), captured_model.parameters(), strict=True):
        torch.testing.assert_close(found, expected)
