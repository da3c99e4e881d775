"""The residual and plain networks for ImageNet, their shortcuts, and where bottlenecks have their stride."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.architectures.resnet import PlainBlock, padded_shortcut
from explorer.errors import InputError
from explorer.inspection.anatomy import Anatomy
from explorer.inspection.portrait import portray


def anatomy(name: str, **given: Any) -> Anatomy:
    return portray(name, None, given).anatomy


@pytest.mark.parametrize(
    ("name", "given", "params", "macs"),
    [
        ("resnet18", {"shortcut": "A"}, 11_515_688, 1_794_805_760),
        ("resnet34", {"shortcut": "A"}, 21_623_848, 3_644_493_824),
        ("resnet50", {"stride_in": "1x1"}, 25_557_032, 3_857_973_248),
        ("plain18", {}, 11_515_688, 1_794_805_760),
        ("plain34", {}, 21_623_848, 3_644_493_824),
    ],
)
def test_the_papers_own_forms_have_their_published_counts(
    name: str, given: dict[str, str], params: int, macs: int
) -> None:
    found = anatomy(name, **given)
    assert (found.params, found.macs) == (params, macs)


def test_c_projects_in_every_block() -> None:
    layers = anatomy("resnet34", shortcut="C").layers
    assert sum(layer.name.endswith("downsample.0") for layer in layers) == 16
    # Thirteen projections more than B has, each with a scale and a shift a map.
    more = sum(n * (width * width + 2 * width) for n, width in ((3, 64), (3, 128), (5, 256), (2, 512)))
    assert anatomy("resnet34", shortcut="C").params == 21_797_672 + more


def test_plain_networks_add_nothing() -> None:
    assert not any(len(layer.inputs) > 1 for layer in anatomy("plain34").layers)
    assert sum(len(layer.inputs) > 1 for layer in anatomy("resnet34").layers) == 16
    block = PlainBlock(4, 4).eval()
    nn.init.zeros_(block.bn2.weight)
    assert not block(torch.rand(1, 4, 6, 6)).any()


def test_the_option_moves_the_stride_alone() -> None:
    shapes = {
        stride_in: {layer.name: layer.output_shapes[0] for layer in anatomy("resnet50", stride_in=stride_in).layers}
        for stride_in in ("3x3", "1x1")
    }
    different = {name for name, shape in shapes["3x3"].items() if shapes["1x1"][name] != shape}
    first_blocks = [f"layer{stage}.0" for stage in (2, 3, 4)]
    assert {f"{block}.conv1" for block in first_blocks} <= different
    assert {name.rpartition(".")[0] for name in different} == set(first_blocks)
    assert not any("conv2" in name or "downsample" in name for name in different)


def test_option_a_takes_every_second_cell_and_pads_the_channels() -> None:
    x = torch.rand(2, 4, 7, 7)
    out = padded_shortcut(4, 2)(x)
    assert out.shape == (2, 8, 4, 4)
    assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    assert not out[:, :2].any()
    assert not out[:, 6:].any()


def test_the_tutorials_blocks_normalise_last_and_have_whole_convolutions_on_their_shortcuts() -> None:
    layers = anatomy("resnet34_keras").layers
    convolutions = [layer for layer in layers if layer.type == "Conv2d"]
    assert len(convolutions) == 33 + 3
    assert convolutions[0].params == 7 * 7 * 3 * 64 + 64  # biases, although normalisation follows
    shortcuts = {layer.name: layer.params for layer in convolutions if "shortcut" in layer.name}
    assert list(shortcuts) == [f"stage{stage}.0.shortcut.conv" for stage in (3, 4, 5)]
    assert list(shortcuts.values()) == [9 * wide * 2 * wide + 2 * wide for wide in (64, 128, 256)]
    types = [layer.type for layer in layers]
    assert types[:4] == ["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d"]
    after = [types[index + 1] for index, kind in enumerate(types) if kind == "add"]
    assert after == ["Conv2d"] * 15 + ["AdaptiveAvgPool2d"]


def test_unknown_choices_are_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"^stride_in must be one of 3x3, 1x1, not '2x2'"):
        build(entry("resnet50"), stride_in="2x2")
    with pytest.raises(InputError, match=r"^shortcut must be one of A, B, C, not 'D'"):
        build(entry("resnet18"), shortcut="D")
