"""The memory that a compiled step works in: parameters side by side, padded, and scratch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from src.kernels.machine import LANES, ROWS, WIDE, pad, pad_columns
from src.models.pair_network import PairNetwork
from src.training.compiled.layout import BLOCK, Network, Scratch


class Parameters:
    """A network's parameters but for its table, in one padded array that they stay views of.

    Their averages and gradients are arrays of the same layout.
    """

    def __init__(self, network: PairNetwork, averages: dict[Tensor, dict[str, Tensor]]) -> None:
        """`averages`: an optimizer's exp_avg and exp_avg_sq of each parameter, made views too."""
        self.network = network
        self.layouts: dict[Tensor, tuple[int, tuple[int, ...]]] = {}
        """For each parameter its first number, and its strides."""
        size = 0
        for place, layer in enumerate(network.hidden):
            n_out, n_in = layer.weight.shape
            stride = 2 * pad(n_in // 2, LANES) if place == 0 else pad_columns(n_in)
            self.layouts[layer.weight] = size, (stride, 1)
            size += pad_columns(n_out) * stride
            self.layouts[layer.bias] = size, (1,)
            size += pad_columns(n_out)
        self.output = size
        n_weights = network.factors + (
            network.hidden[-1].out_features if network.hidden else 2 * network.half
        )
        if network.weight is not None:
            self.layouts[network.weight] = size, (n_weights, 1)
        size += pad(n_weights, LANES) + LANES
        self.bias = size
        if network.bias is not None:
            self.layouts[network.bias] = size, (1,) * network.bias.dim()
        size += LANES
        self.values, self.exp_avg, self.exp_avg_sq, self.gradients = (
            torch.zeros(size) for _ in range(4)
        )
        if network.weight is None:
            self.values[self.output : self.output + n_weights] = 1
        for parameter in self.layouts:
            parameter.data = self._adopt(self.values, parameter, parameter.data)
            state = averages.get(parameter)
            if state:
                state["exp_avg"] = self._adopt(self.exp_avg, parameter, state["exp_avg"])
                state["exp_avg_sq"] = self._adopt(self.exp_avg_sq, parameter, state["exp_avg_sq"])

    def _adopt(self, array: Tensor, parameter: Tensor, values: Tensor) -> Tensor:
        """Return a view of `array` where `parameter` has its place, which now holds `values`."""
        first, strides = self.layouts[parameter]
        return array.as_strided(values.shape, strides, first).copy_(values)

    def release(self) -> None:
        """Give every parameter memory of its own again."""
        for parameter in self.layouts:
            parameter.data = parameter.data.contiguous().clone()

    def address(self, parameter: Tensor) -> int:
        """Return where a parameter begins."""
        return self.values.data_ptr() + 4 * self.layouts[parameter][0]

    def describe(self) -> Network:
        """Return the network as compiled code takes it."""
        network, start = self.network, self.values.data_ptr()
        return Network(
            n_users=network.n_users,
            factors=network.factors,
            half=network.half,
            biases=int(network.biases),
            n_layers=len(network.hidden),
            weighted=int(network.weight is not None),
            output=start + 4 * self.output,
            bias=start + 4 * self.bias,
            learns_bias=int(network.bias is not None),
            parameters=start,
            exp_avg=self.exp_avg.data_ptr(),
            exp_avg_sq=self.exp_avg_sq.data_ptr(),
            gradients=self.gradients.data_ptr(),
            n_parameters=len(self.values),
        )


class Workspace:
    """Scratch for blocks of positives with C - 1 negatives each."""

    def __init__(self, parameters: Parameters, n_candidates: int) -> None:
        network = parameters.network
        self._arrays: list[np.ndarray] = []
        n_users, n_pairs = pad(BLOCK, ROWS), pad(BLOCK * n_candidates, ROWS)
        stride = pad(network.factors, LANES) + pad(network.half, LANES) + LANES * network.biases
        widths = [pad_columns(layer.out_features) for layer in network.hidden]
        first = widths[0] if widths else 0
        self.scratch = Scratch(
            user=self._take(n_users * stride),
            item=self._take(n_pairs * stride),
            of_user=self._take(n_users * stride),
            of_item=self._take(n_pairs * stride),
            weighted_user=self._take(n_users * stride),
            user_sums=self._take(n_users * first),
            of_user_sums=self._take(n_users * first),
            logits=self._take(n_pairs),
            slopes=self._take(n_pairs),
            values=self._take(n_pairs),
            ones=self._take(n_pairs, 1),
            product=self._take(stride),
        )
        rows: list[tuple[int, ...]] = []
        inputs = pad(network.half, LANES) * 2
        for layer, n_out in zip(network.hidden, widths, strict=True):
            is_first = not rows
            rows.append(
                (
                    network.half if is_first else inputs,
                    n_out,
                    parameters.layouts[layer.weight][1][0],
                    parameters.address(layer.weight),
                    parameters.address(layer.bias),
                    self._take(inputs * n_out),
                    self._take(inputs * n_out),
                    self._take(n_pairs * n_out),
                    self._take(n_pairs * n_out),
                )
            )
            inputs = n_out
        self.layers = np.array(rows, np.int64).reshape(len(rows), 9)

    def _take(self, n: int, value: float = 0) -> int:
        """Return the address of n new numbers; a vector may reach beyond the last."""
        array = np.full(n + WIDE, value, np.float32)
        self._arrays.append(array)
        return int(array.ctypes.data)
