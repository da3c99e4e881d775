from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.training.divergence import find_origin


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1e38


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), Square()), nn.Linear(2, 2))


@pytest.mark.parametrize("scale", [1e3, float("inf")])
def test_innermost_layer_with_numbers_that_are_none_is_named(scale: float) -> None:
    module = network()
    nn.init.constant_(module[0].weight, 1.0)
    image = torch.full((1, 2), scale)
    told = find_origin(module, lambda: module(image))
    assert told == ("first in 1.1 (Square)" if scale == 1e3 else "first in 0 (Linear)")
    assert not any(layer._forward_hooks for layer in module.modules())


def test_weights_that_are_no_numbers_are_blamed() -> None:
    module = network()
    with torch.no_grad():
        module[2].weight[0, 0] = float("nan")
    assert find_origin(module, lambda: module(torch.zeros(1, 2))) == "first in the weights of 2 (Linear)"


def test_numbers_throughout_leave_the_loss() -> None:
    module = network()
    assert "outputs are numbers" in find_origin(module, lambda: module(torch.zeros(1, 2)))
