"""VGG's less known configurations: their counts, their kernels and the maps between their stages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray

STAGES = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


def pooled(name: str) -> list[tuple[int, ...]]:
    return [layer.output_shapes[0][1:] for layer in portray(name).anatomy.layers if layer.type == "MaxPool2d"]


@pytest.mark.parametrize(
    ("name", "params", "macs", "with_batch_norm"),
    [
        ("vgg11_lrn", 132_863_336, 7_609_090_048, 132_868_840),
        ("vgg16_c", 133_638_952, 11_770_888_192, 133_647_400),
        ("vgg16_headless", 14_714_688, 15_346_630_656, 14_723_136),
        ("vgg16_cifar", 33_638_218, 332_111_872, 33_646_666),
    ],
)
def test_counts(name: str, params: int, macs: int, with_batch_norm: int) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)
    normalised = portray(name, given={"batch_norm": True}).anatomy
    assert (normalised.params, normalised.macs) == (with_batch_norm, macs)


@pytest.mark.parametrize("name", ["vgg11_lrn", "vgg16_c", "vgg16_headless"])
def test_each_stage_halves_the_image(name: str) -> None:
    assert pooled(name) == STAGES


def test_the_cifar_network_leaves_one_cell() -> None:
    assert pooled("vgg16_cifar") == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2), (512, 1, 1)]
    dense = [layer.output_shapes[0] for layer in portray("vgg16_cifar").anatomy.layers if layer.type == "Linear"]
    assert dense == [(1, 4096), (1, 4096), (1, 10)]


def test_the_cifar_network_fits_its_dense_layers_to_the_image() -> None:
    anatomy = portray("vgg16_cifar", (3, 64, 64), {"batch_norm": True}).anatomy
    assert anatomy.failure is None
    assert anatomy.params == 33_646_666 + 3 * 512 * 4096


@pytest.mark.parametrize("batch_norm", [False, True])
def test_response_normalisation_follows_the_first_activation_alone(batch_norm: bool) -> None:
    types = [layer.type for layer in portray("vgg11_lrn", given={"batch_norm": batch_norm}).anatomy.layers]
    first = ["Conv2d", "BatchNorm2d", "ReLU"] if batch_norm else ["Conv2d", "ReLU"]
    assert types[: len(first) + 2] == [*first, "LocalResponseNorm", "MaxPool2d"]
    assert types.count("LocalResponseNorm") == 1


def test_configuration_c_has_a_kernel_of_one_cell_at_the_end_of_its_last_three_stages() -> None:
    network: Any = build(entry("vgg16_c"), device="meta")
    kernels = [layer.kernel_size[0] for layer in network.features if isinstance(layer, torch.nn.Conv2d)]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


def test_signals_keep_their_size_through_the_cifar_network() -> None:
    torch.manual_seed(0)
    network = build(entry("vgg16_cifar")).eval()
    with torch.no_grad():
        logits = network(torch.randn(16, 3, 32, 32))
    assert 0.1 < logits.std() < 10
