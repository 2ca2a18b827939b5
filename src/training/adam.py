"""Adam (Kingma & Ba 2015), with large embedding tables at a cost that follows the rows read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from src.models.table import Table
from src.training.deferred import DeferredRows, can_defer

Beta = Annotated[float, Ge(0), Lt(1)]


class Adam(torch.optim.Optimizer):
    """The numbers of torch.optim.Adam, with less done for each step.

    Parameters take torch's fused kernel, without the bookkeeping around it, which costs more than
    the kernel; those of a group count steps together. Tables given to `defer` are read and updated
    row by row, which comes to dense Adam's weights without passing over the whole table at every
    step; outside training steps they are true after `flush`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Annotated[float, Ge(0)] = 1e-3,
        betas: tuple[Beta, Beta] = (0.9, 0.999),
        eps: Annotated[float, Gt(0)] = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "step": 0})
        self._deferred: dict[Tensor, DeferredRows] = {}

    def defer(self, table: Table) -> None:
        """Keeps the table's rows from now on, unless momentum lasts too long for that."""
        weight = table.weight
        group = next(g for g in self.param_groups if any(weight is p for p in g["params"]))
        if can_defer(group["betas"]):
            table.keeper = self._deferred[weight] = DeferredRows(
                weight.data, *self._averages(weight), group["betas"], group["eps"], group["step"]
            )

    def flush(self) -> None:
        """Makes the weights and averages of deferred tables true."""
        for rows in self._deferred.values():
            rows.flush()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step on every parameter that has a gradient and every kept row that was read."""
        for group in self.param_groups:
            group["step"] += 1
            for weight, rows in self._deferred.items():
                if any(weight is p for p in group["params"]):
                    rows.update(group["lr"])
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self._fused_step(params, group)

    def _fused_step(self, params: list[Tensor], group: dict[str, Any]) -> None:
        averages = [self._averages(p) for p in params]
        step = torch.full((), float(group["step"]), device=params[0].device)
        torch._fused_adam_(
            params,
            [p.grad for p in params],
            [exp_avg for exp_avg, _ in averages],
            [exp_avg_sq for _, exp_avg_sq in averages],
            [],
            [step] * len(params),
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _averages(self, param: Tensor) -> tuple[Tensor, Tensor]:
        state = self.state[param]
        if not state:
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
        return state["exp_avg"], state["exp_avg_sq"]

    def state_dict(self) -> dict[str, Any]:
        self.flush()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        assert not self._deferred, "tables are deferred after the state is loaded"
