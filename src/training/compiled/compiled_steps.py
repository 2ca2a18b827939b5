"""Training steps taken by compiled code."""

from __future__ import annotations

import numpy as np
import torch

from src.data.stream import AnyBatches, Batches, derive_seed
from src.kernels.entry import Entry
from src.models.pair_network import PairNetwork
from src.training.adam import Adam
from src.training.compiled import layout
from src.training.compiled.layout import BLOCK, Task
from src.training.compiled.memory import Parameters, Workspace
from src.training.compiled.taught_table import TaughtTable, can_defer
from src.training.losses import BCE, BPR, BalancedBCE, Hinge, SampledSoftmax, Squared

train_batches = Entry(
    "src.training.compiled.step.train_batches",
    "compiling the training step for this machine, once: some 20 s",
)

KINDS = {
    BCE: layout.BCE,
    BalancedBCE: layout.BALANCED_BCE,
    BPR: layout.BPR,
    Squared: layout.SQUARED,
    Hinge: layout.HINGE,
    SampledSoftmax: layout.SOFTMAX,
}

# Rows are updated one by one where a step reads fewer than the table has, divided by this
DENSE_BELOW = 3


def serves_loss(loss: object) -> bool:
    """Tell whether a loss is one of those that are compiled."""
    return type(loss) in KINDS


def serves_optimizer(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether an optimizer is Adam, or SGD without momentum, with one group of parameters."""
    if len(optimizer.param_groups) != 1:
        return False
    if type(optimizer) is torch.optim.SGD:
        given = optimizer.defaults
        return not any(given[k] for k in ("momentum", "dampening", "weight_decay", "maximize"))
    return type(optimizer) is Adam


class CompiledSteps:
    """Steps of one network, loss and optimizer on the model's own weights, true after a flush."""

    def __init__(
        self,
        network: PairNetwork,
        loss: object,
        optimizer: torch.optim.Optimizer,
        *,
        l2: float,
        seed: int,
        per_batch: int,
        n_candidates: int,
    ) -> None:
        """Take over the parameters; a batch is `per_batch` users of `n_candidates` items."""
        self.loss, self.seed, self.per_batch = KINDS[type(loss)], seed, per_batch
        self.optimizer, self.group = optimizer, optimizer.param_groups[0]
        weight = network.table.weight
        if isinstance(optimizer, Adam):
            states = {p: optimizer.averages(p) for p in self.group["params"]}
            betas = float(self.group["betas"][0]), float(self.group["betas"][1])
            eps, step = float(self.group["eps"]), self.group["step"]
            state = states[weight]
            rows_read = per_batch * (1 + n_candidates)
            dense = rows_read * DENSE_BELOW > len(weight) or not can_defer(betas)
            averages = state["exp_avg"], state["exp_avg_sq"]
            self.table = TaughtTable(weight.data, averages, betas, eps, step, dense=dense)
            optimizer.keep(self.table)
        else:
            states = {}
            self.table = TaughtTable(weight.data, None, (0.0, 0.0), 0.0, 0)
        self.parameters = Parameters(network, states)
        self.network = self.parameters.describe()
        self.workspace = Workspace(self.parameters, n_candidates)
        parameter = float(getattr(loss, "margin", getattr(loss, "negative_weight", 0.0)))
        self.task = Task(parameter, float(l2), float(network.dropout))
        self.where = np.empty(BLOCK * (1 + n_candidates), np.int64)

    def take(self, batches: AnyBatches) -> float:
        """Take a step on each batch; return the sum of their losses over examples, without L2."""
        assert isinstance(batches, Batches)
        rates = self.table.prepare(float(self.group["lr"]), len(batches))
        table = self.table
        loss = train_batches(
            batches.users.numpy(),
            batches.items.numpy(),
            self.per_batch,
            self.loss,
            derive_seed(self.seed, batches.epoch, batches.step),
            self.network,
            self.workspace.layers,
            table.table,
            self.task,
            rates,
            self.workspace.scratch,
            table.progress,
            table.up_to_date,
            table.places,
            table.touched,
            self.where,
            table.sums,
        )
        # schedulers warn when they move a rate that no step has used yet, and look here
        self.optimizer._opt_called = True  # type: ignore[attr-defined]
        if "step" in self.group:
            self.group["step"] += len(batches)
        return loss

    def release(self) -> None:
        """Give every parameter memory of its own again."""
        self.parameters.release()
