"""Modules with state that is learned from data without gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Stored(nn.Module):
    """A module with buffers shaped by the data: loading takes the shapes of the checkpoint."""

    def store(self, **tensors: Tensor) -> None:
        """Set buffers, which are saved with the weights and move with the module."""
        for name, tensor in tensors.items():
            known = self._buffers.get(name)
            self.register_buffer(name, tensor if known is None else tensor.to(known.device))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, buffer in self._buffers.items():
            if buffer is not None and prefix + name in state_dict:
                loaded = state_dict[prefix + name]
                self._buffers[name] = torch.empty_like(loaded, device=buffer.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)
