"""Adam (Kingma & Ba 2015), with large embedding tables at a cost that follows the rows read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import unwrap
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor
from torch.optim import Optimizer

from src.config.build import check
from src.errors import UserError
from src.models.embedding_table import EmbeddingTable

if TYPE_CHECKING:
    from src.training.compiled.taught_table import TaughtTable

Beta = Annotated[float, Ge(0), Lt(1)]


class Adam(Optimizer):
    """The numbers of torch.optim.Adam, with less done for each step.

    Parameters take torch's fused kernel, without the bookkeeping around it, which costs more than
    the kernel; those of a group count steps together. Tables given to `defer` are read and updated
    row by row, which comes to dense Adam's weights without passing over the whole table at every
    step; outside training steps they are true after `flush`.
    """

    # torch wraps these four for its compiler, and loads it for a second when they are called
    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)

    def __init__(
        self,
        params: Iterable[Any],
        lr: Annotated[float, Ge(0)] = 1e-3,
        betas: tuple[Beta, Beta] = (0.9, 0.999),
        eps: Annotated[float, Gt(0)] = 1e-8,
    ) -> None:
        """Raise UserError for a rate, betas or eps out of their range."""
        checked = check(Adam, {"lr": lr, "betas": betas, "eps": eps}, "")
        super().__init__(params, {**checked, "step": 0})
        self._deferred: dict[Tensor, TaughtTable] = {}
        self._tables: list[EmbeddingTable] = []
        self._kept: list[TaughtTable] = []
        self._plans: list[_Plan] = []
        self.saves_rows_as_they_are = False
        """Whether `state_dict` leaves rows behind, for `restore_rows` to go on from there."""

    def defer(self, table: EmbeddingTable) -> None:
        """Keep the table's rows from now on, unless momentum lasts too long for that; on a CPU."""
        from src.training.compiled.taught_table import TaughtTable, can_defer

        weight = table.weight
        group = next(g for g in self.param_groups if any(weight is p for p in g["params"]))
        if can_defer(group["betas"]):
            state = self.averages(weight)
            averages = state["exp_avg"], state["exp_avg_sq"]
            beta1, beta2 = group["betas"]
            betas, eps = (float(beta1), float(beta2)), float(group["eps"])
            rows = TaughtTable(weight.data, averages, betas, eps, group["step"])
            table.keeper = self._deferred[weight] = rows
            self._tables.append(table)
            self.keep(rows)
            self._plans.clear()

    def keep(self, rows: TaughtTable) -> None:
        """Flush these rows, whoever takes their steps, whenever weights are to be true."""
        self._kept.append(rows)

    def flush(self) -> None:
        """Make the weights and averages of all that is kept true."""
        for rows in self._kept:
            rows.flush()

    def release(self) -> None:
        """Give tables back, with true weights; others may read and teach them then."""
        self.flush()
        for table in self._tables:
            table.keeper = None
        self._tables.clear()
        self._deferred.clear()
        self._kept.clear()
        self._plans.clear()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step once on every parameter that has a gradient and every kept row that was read."""
        if not self._plans:
            self._plans = [self._plan(group) for group in self.param_groups]
        for plan in self._plans:
            plan.group["step"] += 1
            for rows in plan.deferred:
                rows.update(float(plan.group["lr"]))
            plan.fused_step()

    def _plan(self, group: dict[str, Any]) -> _Plan:
        deferred = [self._deferred[p] for p in group["params"] if p in self._deferred]
        params = [p for p in group["params"] if p not in self._deferred]
        return _Plan(group, deferred, [(p, *self.averages(p).values()) for p in params])

    def averages(self, param: Tensor) -> dict[str, Tensor]:
        """Return the parameter's state: its exp_avg and exp_avg_sq, in this order."""
        state = self.state[param]
        if not state:
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
        return state

    def save_rows(self) -> list[dict[str, Any]]:
        """Return where all that is kept stands."""
        return [rows.save() for rows in self._kept]

    def restore_rows(self, saved: Sequence[Mapping[str, Any]]) -> None:
        """Go on from where `save_rows` was called. Raises UserError if other tables are kept."""
        if len(saved) != len(self._kept):
            raise UserError(
                "the checkpoint was written within an epoch whose steps were taken in another way "
                "(compiled=true or false): remove it to go on from the epoch before"
            )
        for rows, state in zip(self._kept, saved, strict=True):
            rows.restore(state)

    def state_dict(self) -> dict[str, Any]:
        if not self.saves_rows_as_they_are:
            self.flush()
        return unwrap(Optimizer.state_dict)(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        assert not self._kept, "tables are kept after the state is loaded"
        unwrap(Optimizer.load_state_dict)(self, state_dict)
        self._plans.clear()


class _Plan(NamedTuple):
    """What a step does to a group, worked out once."""

    group: dict[str, Any]
    deferred: list[TaughtTable]
    dense: list[tuple[Tensor, Tensor, Tensor]]
    """Parameters with their averages."""

    def fused_step(self) -> None:
        taught = [(p, p.grad, *averages) for p, *averages in self.dense if p.grad is not None]
        if not taught:
            return
        params, gradients, exp_avgs, exp_avg_sqs = zip(*taught, strict=True)
        step = torch.full((), float(self.group["step"]), device=params[0].device)
        torch._fused_adam_(
            params,
            gradients,
            exp_avgs,
            exp_avg_sqs,
            [],
            [step] * len(params),
            lr=self.group["lr"],
            beta1=self.group["betas"][0],
            beta2=self.group["betas"][1],
            weight_decay=0.0,
            eps=self.group["eps"],
            amsgrad=False,
            maximize=False,
        )
