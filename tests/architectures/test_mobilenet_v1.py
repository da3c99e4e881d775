"""MobileNet (v1) beside the tables of its paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("width", "side", "params", "macs", "printed"),
    [
        (1.0, 224, 4231976, 568740352, (4.2, 569)),
        (0.75, 224, 2585560, 325400448, (2.6, 325)),
        (0.5, 224, 1331592, 149497088, (1.3, 149)),
        (0.25, 224, 470072, 41030272, (0.5, 41)),
        (1.0, 192, 4231976, 418121728, (4.2, 418)),
        (1.0, 160, 4231976, 290675200, (4.2, 290)),
        (1.0, 128, 4231976, 186400768, (4.2, 186)),
    ],
)
def test_width_and_resolution_give_the_counts_of_tables_6_and_7(
    width: float, side: int, params: int, macs: int, printed: tuple[float, int]
) -> None:
    anatomy = portray("mobilenet_v1", (3, side, side), {"width": width}).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)
    assert round(anatomy.params / 1e6, 1) == printed[0]
    assert abs(anatomy.macs / 1e6 - printed[1]) < 1


def test_most_of_the_work_is_in_the_1x1_convolutions_as_in_table_2() -> None:
    anatomy = portray("mobilenet_v1").anatomy
    pointwise = [layer for layer in anatomy.layers if ".pointwise.conv" in layer.name]
    depthwise = [layer for layer in anatomy.layers if ".depthwise.conv" in layer.name]
    assert len(pointwise) == len(depthwise) == 13
    assert sum(layer.macs for layer in pointwise) / anatomy.macs == pytest.approx(0.9486, abs=5e-4)
    assert sum(layer.params for layer in pointwise) / anatomy.params == pytest.approx(0.7459, abs=5e-3)
    assert sum(layer.macs for layer in depthwise) / anatomy.macs == pytest.approx(0.0306, abs=5e-4)


def test_a_tiny_width_leaves_no_layer_thinner_than_eight_channels() -> None:
    anatomy = portray("mobilenet_v1", given={"width": 0.1}).anatomy
    assert min(shape[1] for layer in anatomy.layers for shape in layer.output_shapes) == 8


def test_the_first_convolution_is_what_slim_leaves_out_at_a_width_of_three_quarters() -> None:
    """Its table prints 317, 233, 162 and 104 million."""
    for side, printed in ((224, 317), (192, 233), (160, 162), (128, 104)):
        anatomy = portray("mobilenet_v1", (3, side, side), {"width": 0.75}).anatomy
        assert abs((anatomy.macs - anatomy.layers[0].macs) / 1e6 - printed) < 1


def test_the_activation_is_chosen_for_every_layer_alike() -> None:
    x = torch.full((1, 1), 9.0)
    for activation, answer in (("relu", 9.0), ("relu6", 6.0)):
        network: Any = build(entry("mobilenet_v1"), device="meta", activation=activation)
        chosen = [module for name, module in network.named_modules() if name.endswith(".relu")]
        assert len(chosen) == 27
        assert {module(x.clone()).item() for module in chosen} == {answer}


def test_the_version_for_cifar_halves_the_image_four_times() -> None:
    anatomy = portray("mobilenet_v1_cifar").anatomy
    assert anatomy.params == 4_231_976 - 1025 * 990
    assert {layer.name: layer.output_shapes[0] for layer in anatomy.layers}["features.13.pointwise.relu"][2:] == (2, 2)
