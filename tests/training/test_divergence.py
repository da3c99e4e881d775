from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from explorer.training.divergence import find_origin
from explorer.training.errors import TrainingError
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder


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
    _, told = find_origin(module, lambda: module(image))
    assert told == ("first in 1.1 (Square)" if scale == 1e3 else "first in 0 (Linear)")
    assert not any(layer._forward_hooks for layer in module.modules())


def test_weights_that_are_no_numbers_are_blamed() -> None:
    module = network()
    with torch.no_grad():
        module[2].weight[0, 0] = float("nan")
    assert find_origin(module, lambda: module(torch.zeros(1, 2))) == (4, "first in the weights of 2 (Linear)")


def test_numbers_throughout_leave_the_loss() -> None:
    module = network()
    assert "outputs are numbers" in find_origin(module, lambda: module(torch.zeros(1, 2)))[1]


@pytest.mark.parametrize(
    "settings",
    [{}, {"accumulate": 4}, {"precision": "bf16"}, {"accumulate": 3, "precision": "bf16", "channels_last": True}],
    ids=str,
)
def test_layer_is_named_where_chance_brought_it_about(
    network_file: Callable[[str], str], tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Now and then all numbers of an image are dropped and have no variance: the same draws must be made again."""
    name = network_file(
        "def build(self):\n"
        "    self.drop, self.norm = nn.Dropout(0.59), nn.LayerNorm(10, eps=0)\n"
        "def forward(self, x):\n"
        "    return self.norm(self.drop(self.flat(x)).float())"
    )
    recipe = replace(Recipe(name, input=(1, 8, 8), batch_size=64, epochs=2, learning_rate=1e-3), **settings)
    folder = RunFolder.create(recipe, tmp_path / "run")
    with pytest.raises(
        TrainingError, match=r"^the loss of step \d+ \(epoch \d\) is nan, first in norm \(LayerNorm\): try"
    ):
        list(fit(recipe, folder, "cpu"))
