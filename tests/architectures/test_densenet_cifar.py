"""DenseNet for CIFAR, plain and with bottlenecks and compression."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("name", "given", "params", "macs"),
    [
        ("densenet_bc", {}, 769_162, 287_929_692),
        ("densenet_bc", {"depth": 190, "growth_rate": 40}, 25_624_430, 9_301_945_740),
        ("densenet_bc", {"depth": 40, "growth_rate": 36}, 1_542_682, 647_298_936),
        ("densenet_bc", {"depth": 40, "growth_rate": 48}, 2_733_130, 1_149_867_168),
        ("densenet_bc", {"depth": 250, "growth_rate": 24}, 15_324_406, 5_418_785_724),
        ("densenet_bc", {"bottleneck": False, "compression": 1}, 6_979_642, 1_769_516_448),
        ("densenet_bc", {"bottleneck": False, "compression": 1, "growth_rate": 24}, 27_249_082, 6_889_347_744),
        ("densenet_bc", {"bottleneck": False, "compression": 1, "depth": 40}, 1_019_722, 264_812_928),
        ("densenet40_cifar", {}, 1_019_722, 264_812_928),
    ],
)
def test_parameters_and_macs_are_the_published_ones(name: str, given: dict[str, Any], params: int, macs: int) -> None:
    anatomy = portray(name, None, given).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


@pytest.mark.parametrize(("depth", "bottleneck"), [(100, True), (10, True), (40, False), (7, False)])
def test_depth_counts_the_layers_with_weights(depth: int, bottleneck: bool) -> None:
    network = build(entry("densenet_bc"), device="meta", depth=depth, bottleneck=bottleneck)
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == depth


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        # Growth of 12 for 16 layers: 24 to 216, half of it, to 300, half of it, to 342.
        ("densenet_bc", [24, 216, 108, 300, 150, 342]),
        # Growth of 12 for 12 layers, and nothing lost on the way: 16 to 160, 304 and 448.
        ("densenet40_cifar", [16, 160, 160, 304, 304, 448]),
    ],
)
def test_stages_grow_by_the_rate_and_shrink_by_the_compression(name: str, widths: list[int]) -> None:
    layers = portray(name).anatomy.layers
    joined = [layer for layer in layers if layer.type == "cat"]
    ends = [joined[index * len(joined) // 3 - 1].output_shapes[0] for index in (1, 2, 3)]
    shapes = {layer.name: layer.output_shapes[0] for layer in layers}
    found = [shapes["conv"], ends[0], shapes["transition1.pool"], ends[1], shapes["transition2.pool"], ends[2]]
    assert found == [(1, width, side, side) for width, side in zip(widths, (32, 32, 16, 16, 8, 8), strict=True)]


def test_only_bottleneck_and_compression_together_start_from_twice_the_growth_rate() -> None:
    def stem(**given: Any) -> int:
        network = build(entry("densenet_bc"), device="meta", **given)
        return int(network.get_parameter("conv.weight").shape[0])

    assert stem(growth_rate=20) == 40
    assert stem(growth_rate=20, compression=1) == 16
    assert stem(growth_rate=20, bottleneck=False) == 16


def test_compression_rounds_down_to_whole_maps_and_keeps_one_at_least() -> None:
    def kept(**given: Any) -> int:
        network = build(entry("densenet_bc"), device="meta", depth=10, **given)
        return int(network.get_parameter("transition1.composite.conv.weight").shape[0])

    assert kept(growth_rate=5, compression=0.5) == 7  # of 15
    assert kept(growth_rate=100, compression=0.29) == 87  # of 300
    assert kept(growth_rate=1, compression=0.1) == 1  # of 3


def test_a_layer_passes_on_what_it_was_given() -> None:
    from explorer.architectures.densenet_cifar import DenseLayer, Form

    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 4)
    for bottleneck in (False, True):
        out = DenseLayer(6, Form(3, bottleneck, 1.0, 0.0, 0.0))(x)
        assert out.shape == (2, 9, 4, 4)
        assert torch.equal(out[:, :6], x)


def test_a_slope_below_zero_makes_every_activation_leaky() -> None:
    network = build(entry("densenet_bc"), device="meta", depth=16, negative_slope=0.1)
    leaky = [module for module in network.modules() if isinstance(module, nn.LeakyReLU)]
    assert [module.negative_slope for module in leaky] == [0.1] * 15  # 16 layers but the first, and the last of all
    assert not any(isinstance(module, nn.ReLU) for module in network.modules())


def test_dropout_follows_every_convolution_but_the_first() -> None:
    network = build(entry("densenet40_cifar"), device="meta", dropout=0.2)
    assert sum(isinstance(module, nn.Dropout) for module in network.modules()) == 38
    assert not any(isinstance(module, nn.Dropout) for module in build(entry("densenet_bc"), device="meta").modules())


@pytest.mark.parametrize(
    ("depth", "bottleneck", "text"),
    [
        (101, True, "multiple of 6 with a bottleneck, such as 100 or 106, not 101"),
        (9, True, "multiple of 6 with a bottleneck, such as 10 or 16, not 9"),
        (41, False, "multiple of 3 without a bottleneck, such as 40 or 43, not 41"),
    ],
)
def test_a_depth_that_does_not_fit_is_refused_with_ones_that_do(depth: int, bottleneck: bool, text: str) -> None:
    with pytest.raises(InputError, match=f"^depth must be 4 more than a {text}$"):
        build(entry("densenet_bc"), device="meta", depth=depth, bottleneck=bottleneck)


@pytest.mark.parametrize(
    ("option", "value", "bounds"),
    [("depth", 3, "7 to 400"), ("growth_rate", 0, "1 to 256"), ("compression", 1.5, "0.1 to 1")],
)
def test_a_value_out_of_range_is_refused_with_the_range(option: str, value: float, bounds: str) -> None:
    with pytest.raises(InputError, match=f"^{option} must be from {bounds}, not {value}"):
        build(entry("densenet_bc"), device="meta", **{option: value})  # type: ignore[arg-type]
