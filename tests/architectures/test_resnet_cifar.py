"""The residual and plain networks for CIFAR-10, and the three kinds of shortcuts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.architectures.resnet_cifar import Block
from explorer.errors import InputError
from explorer.inspection.anatomy import Anatomy
from explorer.inspection.portrait import portray

DEPTHS = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}
"""Million parameters that table 6 of the paper prints, by depth."""


def anatomy(name: str, **given: str) -> Anatomy:
    return portray(name, None, given).anatomy


@pytest.mark.parametrize(
    ("name", "given", "params", "macs"),
    [
        ("resnet20_cifar", {}, 269_722, 40_551_040),
        ("resnet20_cifar", {"shortcut": "B"}, 272_474, 40_813_184),
        ("resnet32_cifar", {}, 464_154, 68_862_592),
        ("resnet44_cifar", {}, 658_586, 97_174_144),
        ("resnet56_cifar", {}, 853_018, 125_485_696),
        ("resnet56_cifar", {"shortcut": "B"}, 855_770, 125_747_840),
        ("resnet110_cifar", {}, 1_727_962, 252_887_680),
        pytest.param("resnet1202_cifar", {}, 19_421_274, 2_829_238_912, marks=pytest.mark.slow),
        ("plain20_cifar", {}, 269_722, 40_551_040),
        ("plain32_cifar", {}, 464_154, 68_862_592),
        ("plain44_cifar", {}, 658_586, 97_174_144),
        ("plain56_cifar", {}, 853_018, 125_485_696),
        ("plain110_cifar", {}, 1_727_962, 252_887_680),
    ],
)
def test_parameters_and_macs_are_the_published_ones(name: str, given: dict[str, str], params: int, macs: int) -> None:
    found = anatomy(name, **given)
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize("depth", DEPTHS)
def test_depth_and_parameters_are_those_of_table_six(depth: int) -> None:
    network = build(entry(f"resnet{depth}_cifar"), device="meta")
    weighted = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert len(weighted) == depth
    assert millions == pytest.approx(DEPTHS[depth], rel=0.02)


@pytest.mark.parametrize("name", ["resnet44_cifar", "plain56_cifar"])
def test_stages_have_16_32_and_64_maps_of_halving_size(name: str) -> None:
    shapes = {layer.name: layer.output_shapes[0] for layer in anatomy(name).layers}
    last = 6 if name == "resnet44_cifar" else 8
    assert shapes[f"stage1.{last}.conv2"] == (1, 16, 32, 32)
    assert shapes[f"stage2.{last}.conv2"] == (1, 32, 16, 16)
    assert shapes[f"stage3.{last}.conv2"] == (1, 64, 8, 8)


def test_b_projects_where_the_maps_change_and_c_in_every_block() -> None:
    projected = [layer for layer in anatomy("resnet20_cifar", shortcut="B").layers if ".projection.0" in layer.name]
    assert [layer.name for layer in projected] == ["stage2.0.projection.0", "stage3.0.projection.0"]
    everywhere = anatomy("resnet20_cifar", shortcut="C")
    assert sum(".projection.0" in layer.name for layer in everywhere.layers) == 9
    # Seven more than B has: three of 16 maps, two of 32 and two of 64, each with a scale and a shift a map.
    assert everywhere.params == 272_474 + 3 * (256 + 32) + 2 * (1024 + 64) + 2 * (4096 + 128)


def test_a_plain_block_has_nothing_but_its_residual() -> None:
    block = Block(4, 4, 1, "none").eval()
    nn.init.zeros_(block.bn2.weight)
    assert not block(torch.rand(1, 4, 6, 6)).any()


def test_plain_networks_add_nothing_and_residual_ones_in_every_block() -> None:
    assert not any(len(layer.inputs) > 1 for layer in anatomy("plain20_cifar").layers)
    assert sum(len(layer.inputs) > 1 for layer in anatomy("resnet20_cifar").layers) == 9


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_a_block_adds_its_shortcut_to_the_residual(shortcut: str) -> None:
    torch.manual_seed(0)
    block = Block(4, 8, 2, shortcut).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.rand(1, 4, 6, 6)
    out = block(x)
    if shortcut == "A":
        assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    else:
        convolution, norm = block.projection
        assert torch.equal(out, norm(nn.functional.conv2d(x, convolution.weight, stride=2)).relu())


@pytest.mark.parametrize("shortcut", ["B", "C"])
def test_projections_learn(shortcut: str) -> None:
    torch.manual_seed(0)
    network = build(entry("resnet20_cifar"), shortcut=shortcut).train()
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_an_unknown_shortcut_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"^shortcut must be one of A, B, C, not 'D'"):
        build(entry("resnet110_cifar"), shortcut="D")
    with pytest.raises(InputError, match="plain20_cifar has no option 'shortcut'"):
        build(entry("plain20_cifar"), shortcut="A")
