"""MobileNetV2 beside its paper, TF-Slim's table and a popular version for CIFAR."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("width", "without_normalisation"), [(1.4, 6.06), (1.3, 5.34), (1.0, 3.47), (0.75, 2.61), (0.5, 1.95), (0.35, 1.66)]
)
def test_slim_leaves_batch_normalisation_out_of_its_parameters(width: float, without_normalisation: float) -> None:
    anatomy = portray("mobilenet_v2", (3, 32, 32), {"width": width}).anatomy
    normalisation = sum(layer.params for layer in anatomy.layers if layer.type == "BatchNorm2d")
    assert abs((anatomy.params - normalisation) / 1e6 - without_normalisation) < 0.01


@pytest.mark.parametrize("expansion", [1, 3, 6])
def test_a_block_is_as_many_times_wider_inside_as_chosen(expansion: int) -> None:
    layers = portray("mobilenet_v2", (3, 64, 64), {"expansion": expansion}).anatomy.layers
    depthwise = [layer for layer in layers if dict(layer.hyperparameters).get("groups", 1) != 1]
    ends = [32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160]
    assert [layer.input_shapes[0][1] for layer in depthwise] == [32, *(expansion * width for width in ends[1:])]


@pytest.mark.parametrize(("activation", "answer"), [("relu6", 6.0), ("relu", 9.0)])
def test_the_activation_is_chosen_for_every_layer_alike(activation: str, answer: float) -> None:
    network = build(entry("mobilenet_v2"), device="meta", activation=activation)
    chosen = [module for module in network.modules() if isinstance(module, nn.ReLU | nn.ReLU6)]
    assert len(chosen) == 35
    assert {module(torch.full((1, 1), 9.0)).item() for module in chosen} == {answer}


def test_the_version_for_cifar_halves_the_image_three_times() -> None:
    anatomy = portray("mobilenet_v2_cifar").anatomy
    assert anatomy.params == 3_504_872 - 1281 * 990
    shapes: dict[str, Any] = {layer.name: layer.output_shapes[0][1:] for layer in anatomy.layers}
    assert shapes["features.0.2"] == (32, 32, 32)
    assert shapes["features.18.2"] == (1280, 4, 4)


def test_a_popular_version_for_cifar_has_as_many_more_parameters_as_its_shortcuts() -> None:
    """Where stride 1 changes the channels, pytorch-cifar has a convolution; and it widens the first block by one."""
    projections = sum(before * after + 2 * after for before, after in ((32, 16), (16, 24), (64, 96), (160, 320)))
    assert portray("mobilenet_v2_cifar").anatomy.params + projections + 32 * 32 + 2 * 32 == 2_296_922
