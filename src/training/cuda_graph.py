"""Training steps as a CUDA graph: recorded once, then replayed at the cost of one launch.

Where a batch is small, launching a step's fifty kernels takes longer than running them. What a
graph may hold, and how it is made, is in torch's notes on CUDA semantics, under "CUDA Graphs".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from src.data.stream import AnyBatches, Batch, Batches
from src.training.adam import Adam

# Steps before the recording, as torch asks for: what libraries set up on first use can't be
# recorded. They train as all others do.
WARM_UP = 3

Work = Callable[[], Tensor]


class Recorder:
    """Runs work as it is, where there is no device that records it."""

    def warm_up(self, work: Work) -> Tensor:
        """Run the work as before a recording; return its result."""
        return work()

    def record(self, work: Work) -> Work:
        """Return what does the work again, on the tensors that it is about now; don't do it yet."""
        return work


class CudaRecorder(Recorder):
    """Records work on the current CUDA device."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def warm_up(self, work: Work) -> Tensor:
        """Run the work on the stream that will record it."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def record(self, work: Work) -> Work:
        """Record the work's kernels without running them; a replay overwrites the last result."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            result = work()

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay


class CapturedSteps:
    """Steps of one optimizer, all of whose full batches but the first few replay a recording.

    A recording reads its inputs where they were when it was made: a batch is copied there first.
    The last batch of an epoch may be smaller; it takes the same step unrecorded.
    """

    def __init__(
        self,
        differentiate: Callable[[Tensor, Tensor], Tensor],
        optimizer: Adam,
        per_batch: int,
        recorder: Recorder | None = None,
    ) -> None:
        """Step with the gradients that `differentiate` sets for users [P] and items [P, 1+k].

        It returns the loss, and must neither wait for the device nor follow the batch's values. A
        full batch has P = `per_batch`. No table of the optimizer may be deferred: how rows are kept
        follows the number of the step.
        """
        self._differentiate, self._per_batch = differentiate, per_batch
        self._adam = DeviceAdam(optimizer)
        self._recorder = recorder or CudaRecorder()
        self._inputs: Batch | None = None
        self._replay: Work | None = None
        self._warmed_up = 0

    def take(self, batches: AnyBatches) -> Tensor:
        """Take a step on each batch; return the sum of their losses over examples."""
        assert isinstance(batches, Batches)
        losses = [self.step(batch) * batch.items.numel() for batch in batches]
        return torch.stack(losses).sum()

    def release(self) -> None:
        """Let go of the graph's memory."""
        self._replay = self._inputs = None

    def step(self, batch: Batch) -> Tensor:
        """Take a step; return the batch's loss, which stays true until the next step."""
        self._adam.count_step()
        if len(batch.users) != self._per_batch:
            return self._step_on(batch)
        if self._inputs is None:
            self._inputs = Batch(*(torch.empty_like(tensor) for tensor in batch))
        for place, tensor in zip(self._inputs, batch, strict=True):
            place.copy_(tensor)
        if self._warmed_up < WARM_UP:
            self._warmed_up += 1
            return self._recorder.warm_up(self._step_on_inputs)
        if self._replay is None:
            self._replay = self._recorder.record(self._step_on_inputs)
        return self._replay()

    def _step_on_inputs(self) -> Tensor:
        assert self._inputs is not None
        return self._step_on(self._inputs)

    def _step_on(self, batch: Batch) -> Tensor:
        loss = self._differentiate(*batch)
        self._adam.update()
        return loss


class DeviceAdam:
    """Adam's update with the number of the step and the rate on the device, to be replayed.

    Averages and counts stay those of the optimizer, so that its checkpoints are the same.
    """

    def __init__(self, optimizer: Adam) -> None:
        self._groups = [_DeviceGroup(optimizer, group) for group in optimizer.param_groups]

    def count_step(self) -> None:
        """Count the step to come, with the rate that a schedule may have changed."""
        for group in self._groups:
            group.count_step()

    @torch.no_grad()
    def update(self) -> None:
        """Step on every parameter that has a gradient; nothing here reads a value from the host."""
        for group in self._groups:
            group.update()


class _DeviceGroup:
    def __init__(self, optimizer: Adam, options: dict[str, Any]) -> None:
        self._options, self._params = options, options["params"]
        self._averages = [_averages(optimizer, param) for param in self._params]
        device = self._params[0].device
        self._step = torch.full((), float(options["step"]), device=device)
        # of the type that torch's kernel reads rates in
        self._rate = torch.full((), float(options["lr"]), device=device)
        self._known_rate = options["lr"]

    def count_step(self) -> None:
        self._options["step"] += 1
        if self._options["lr"] != self._known_rate:
            self._known_rate = self._options["lr"]
            self._rate.fill_(self._known_rate)

    def update(self) -> None:
        self._step.add_(1)
        taught = [
            (param, param.grad, *averages)
            for param, averages in zip(self._params, self._averages, strict=True)
            if param.grad is not None
        ]
        if not taught:
            return
        params, gradients, exp_avgs, exp_avg_sqs = zip(*taught, strict=True)
        beta1, beta2 = self._options["betas"]
        torch._fused_adam_(
            params,
            gradients,
            exp_avgs,
            exp_avg_sqs,
            [],
            [self._step] * len(params),
            lr=self._rate,
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=self._options["eps"],
            amsgrad=False,
            maximize=False,
        )


def _averages(optimizer: Adam, param: Tensor) -> tuple[Tensor, Tensor]:
    """Return the optimizer's averages of a parameter's gradient; make those not there yet."""
    state = optimizer.state[param]
    for name in ("exp_avg", "exp_avg_sq"):
        if name not in state:
            state[name] = torch.zeros_like(param)
    return state["exp_avg"], state["exp_avg_sq"]
