"""BN-Inception, in the form that was released and in that of the paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray

MODULES = [f"inception{name}" for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]


@pytest.mark.parametrize(
    ("given", "params", "macs"),
    [
        ({}, 11_295_240, 2_032_600_064),
        ({"biases": False}, 11_295_240 - 10_016, 2_032_600_064),
        # 4c and 4d project to 32 maps less, and 4d, 4e and 5a have 32 to take in less
        ({"form": "paper"}, 11_204_936, 2_018_851_840),
    ],
)
def test_counts(given: dict[str, Any], params: int, macs: int) -> None:
    anatomy = portray("bn_inception", given=given).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


@pytest.mark.parametrize(
    ("form", "maps"),
    [
        ("paper", [256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024]),
        ("caffe", [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]),
    ],
)
def test_modules_give_the_maps_of_figure_5_or_of_the_release(form: str, maps: list[int]) -> None:
    layers = portray("bn_inception", given={"form": form}).anatomy.layers
    joined = [layer for layer in layers if layer.name.endswith(".cat")]
    assert [layer.name.partition(".")[0] for layer in joined] == MODULES
    assert [layer.output_shapes[0][1] for layer in joined] == maps
    assert [layer.output_shapes[0][2] for layer in joined] == [28, 28, *[14] * 5, *[7] * 3]


@pytest.mark.parametrize("size", [(97, 130), (299, 33), (32, 32)])
def test_odd_sides_fit_together_again(size: tuple[int, int]) -> None:
    assert portray("bn_inception", (3, *size)).anatomy.failure is None


def test_the_pool_that_halves_looks_at_the_same_cells_as_caffes() -> None:
    network: Any = build(entry("bn_inception"), device="meta")
    pool = network.inception3c.branch_pool.pool
    x = torch.rand(1, 2, 28, 28)
    assert torch.equal(pool(x), nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1)), 3, 2))


def test_normalisation_takes_the_biases_away_again() -> None:
    torch.manual_seed(0)
    network: Any = build(entry("bn_inception"), (3, 32, 32))
    convolution = network.conv1.train()
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        before = convolution(x)
        convolution.conv.bias.add_(5)
        assert torch.allclose(convolution(x), before, atol=1e-4)
