"""A moving average of a network's weights, which often tells classes apart better than the weights themselves."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows a network while it is trained (Polyak and Juditsky 1992; as in Tarvainen and Valpola 2017).

    The buffers of normalisation are averaged like the weights; counters and whatever else is no floating-point number
    are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        """The network with averaged weights."""
        ours, theirs = self.network.state_dict(), network.state_dict()
        numbers = [name for name, value in theirs.items() if value.is_floating_point()]
        self._averages = [ours[name] for name in numbers]
        self._weights = [theirs[name] for name in numbers]
        self._copies = [(ours[name], value) for name, value in theirs.items() if name not in set(numbers)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the weights after step `step` (from 0) in; the average forgets its start sooner."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        for ours, theirs in self._copies:
            ours.copy_(theirs)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the averages under the network's own names."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over averages that were saved."""
        self.network.load_state_dict(state)
