"""Dilated residual networks and the context module beside the counts and receptive fields of their papers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("drn_a_18", 11_689_512, 9_212_825_600),
        ("drn_a_50", 25_557_032, 19_079_364_608),
        ("drn_b_26", 21_126_584, 16_971_239_424),
        ("drn_c_26", 21_126_584, 16_971_239_424),
        ("drn_d_22", 16_393_752, 13_034_229_760),
        ("drn_d_54", 35_809_176, 28_486_832_128),
        ("drn_d_105", 54_801_304, 43_335_716_864),
        ("context_module", 28_392, 115_605_504),
        ("context_module_large", 6_803_139, 27_857_313_792),
    ],
)
def test_counts_are_those_of_the_authors_code(name: str, params: int, macs: int) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


def test_the_authors_count_of_c_58_has_a_projection_that_nothing_uses() -> None:
    with_it = portray("drn_c_58", given={"discarded": True}).anatomy
    without = portray("drn_c_58").anatomy
    assert (with_it.params, with_it.macs) == (41_591_608, 33_245_925_376)
    assert with_it.params - without.params == 2048 * 512 + 2 * 512
    assert with_it.macs - without.macs == 2048 * 512 * 28 * 28


@pytest.mark.parametrize(("longer", "shorter"), [("drn_d_24", "drn_d_22"), ("drn_d_40", "drn_d_38")])
def test_a_longer_tail_has_two_convolutions_more(longer: str, shorter: str) -> None:
    difference = portray(longer).anatomy.params - portray(shorter).anatomy.params
    assert difference == 2 * (512 * 512 * 9 + 2 * 512)


def test_dilation_keeps_the_view_of_resnet_18_and_the_cells_of_its_second_stage() -> None:
    dilated, strided = (portray(name).anatomy.layers for name in ("drn_a_18", "resnet18"))
    last = next(layer for layer in reversed(dilated) if layer.name.startswith("layer4"))
    other = next(layer for layer in reversed(strided) if layer.name.startswith("layer4"))
    assert last.receptive_field is not None
    assert other.receptive_field is not None
    assert last.receptive_field.size == other.receptive_field.size == (435, 435)
    assert (last.output_shapes[0][2:], other.output_shapes[0][2:]) == ((28, 28), (7, 7))


def test_form_c_adds_nothing_in_its_tail_and_form_b_does() -> None:
    blocks: list[Any] = [build(entry(name), device="meta") for name in ("drn_b_26", "drn_c_26")]
    assert [block.layer8[0].shortcut is None for block in blocks] == [False, True]
    assert all(block.layer1[0].shortcut is not None for block in blocks)


def test_dilations_rise_to_four_and_fall_back_to_one() -> None:
    network = build(entry("drn_d_22"), device="meta")
    found = {
        name.partition(".")[0]: module.dilation[0]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] == 3
    }
    assert [found[f"layer{level}"] for level in range(1, 9)] == [1, 1, 1, 1, 2, 4, 2, 1]


@pytest.mark.parametrize("name", ["context_module", "context_module_large"])
def test_the_view_doubles_with_every_layer_of_the_context_module(name: str) -> None:
    fields = [layer.receptive_field for layer in portray(name).anatomy.layers if layer.name.startswith("layer")]
    assert [field.size[0] for field in fields if field is not None] == [3, 5, 9, 17, 33, 65, 67, 67]


def test_the_basic_context_module_starts_as_the_identity() -> None:
    x = torch.rand(1, 21, 40, 40)
    with torch.no_grad():
        assert torch.equal(build(entry("context_module"))(x), x)
        assert not torch.allclose(build(entry("context_module"), start="random")(x), x, atol=0.1)


def test_the_large_context_module_starts_near_the_identity() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 21, 40, 40)
    network: Any = build(entry("context_module_large"))
    with torch.no_grad():
        assert (network(x) - x).abs().max() < 0.2
        copies = network.layer1.weight[:2]
    assert not torch.equal(copies[0], copies[1])


def test_the_context_module_has_as_many_maps_as_its_input() -> None:
    anatomy = portray("context_module", (19, 32, 32)).anatomy
    assert anatomy.params == 64 * 19**2 + 8 * 19
    assert anatomy.layers[-1].output_shapes[0] == (1, 19, 32, 32)
