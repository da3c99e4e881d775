"""AlexNet's one-tower successors: their counts and the maps between their layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray


def outputs_of(name: str, kind: str) -> list[tuple[int, ...]]:
    return [layer.output_shapes[0][1:] for layer in portray(name).anatomy.layers if layer.type == kind]


def test_the_tower_of_2014_is_torchvisions() -> None:
    anatomy = portray("alexnet_2014").anatomy
    assert (anatomy.params, anatomy.macs) == (61_100_840, 714_188_480)
    assert outputs_of("alexnet_2014", "Conv2d") == [
        (64, 55, 55),
        (192, 27, 27),
        (384, 13, 13),
        (256, 13, 13),
        (256, 13, 13),
    ]


@pytest.mark.parametrize(("groups", "params", "macs"), [(2, 60_965_224, 724_406_816), (1, 62_378_344, 1_135_256_096)])
def test_without_its_two_groups_alexnet_is_larger(groups: int, params: int, macs: int) -> None:
    anatomy = portray("alexnet", None, {"groups": groups}).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


def test_the_network_for_flowers_has_what_keras_counts() -> None:
    anatomy = portray("alexnet_flowers17").anatomy
    statistics = [
        buffer.numel()
        for name, buffer in build(entry("alexnet_flowers17"), device="meta").named_buffers()
        if "running" in name
    ]
    assert anatomy.trainable_params == 24_060_607
    assert anatomy.params + sum(statistics) == 24_079_745
    dense = 256 * 4096 + 4096 * 4096 + 4096 * 17
    kernels = ((97, 3, 11, 54), (256, 97, 11, 17), (384, 256, 3, 6), (384, 384, 3, 4), (256, 384, 3, 2))
    assert anatomy.macs == dense + sum(out * wide * size**2 * side**2 for out, wide, size, side in kernels)


def test_the_network_for_flowers_shrinks_to_one_cell() -> None:
    convolutions = [(97, 54, 54), (256, 17, 17), (384, 6, 6), (384, 4, 4), (256, 2, 2)]
    assert outputs_of("alexnet_flowers17", "Conv2d") == convolutions
    assert outputs_of("alexnet_flowers17", "MaxPool2d") == [(97, 27, 27), (256, 8, 8), (256, 1, 1)]
    assert outputs_of("alexnet_flowers17", "Linear") == [(4096,), (4096,), (17,)]


def test_the_network_for_flowers_normalises_after_pooling_and_after_dropout() -> None:
    types = [layer.type for layer in portray("alexnet_flowers17").anatomy.layers]
    pooled, plain = ["Conv2d", "ReLU", "MaxPool2d", "BatchNorm2d"], ["Conv2d", "ReLU", "BatchNorm2d"]
    dense = ["Linear", "ReLU", "Dropout", "BatchNorm1d"]
    assert types == [*pooled, *pooled, *plain, *plain, *pooled, "Flatten", *dense, *dense, "Linear"]


@pytest.mark.parametrize(("side", "fits"), [(215, True), (214, False), (300, True)])
def test_the_network_for_flowers_takes_images_from_215_cells_on(side: int, fits: bool) -> None:
    anatomy = portray("alexnet_flowers17", (3, side, side)).anatomy
    assert (anatomy.failure is None) is fits


def test_finding_the_size_of_the_maps_leaves_the_network_as_new() -> None:
    network: Any = build(entry("alexnet_flowers17"), num_classes=2)
    assert all(module.training for module in network.modules())
    assert torch.equal(network.features.bn1.running_var, torch.ones(97))
    assert network.features.bn1.num_batches_tracked == 0


def test_signals_reach_the_classes_of_alexnet_at_once() -> None:
    """With weights that let them fade, the loss stays that of guessing for a long while."""
    torch.manual_seed(0)
    network = build(entry("alexnet"), (3, 67, 67), num_classes=10).eval()
    with torch.no_grad():
        logits = network(torch.randn(16, 3, 67, 67))
    assert 0.1 < float(logits.std(0).mean()) < 3
