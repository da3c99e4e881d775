"""DenseNet for ImageNet, through torchvision's class."""

from __future__ import annotations

import pytest
from torch import nn
from torchvision import models

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray

EXACT = {
    "densenet161": (28_681_000, 7_727_907_072),
    "densenet169": (14_149_480, 3_359_843_328),
    "densenet201": (20_013_928, 4_291_365_888),
    "densenet264": (33_337_704, 5_751_653_376),
}
ENDS = {
    "densenet161": [(384, 56), (768, 28), (2112, 14), (2208, 7)],
    "densenet169": [(256, 56), (512, 28), (1280, 14), (1664, 7)],
    "densenet201": [(256, 56), (512, 28), (1792, 14), (1920, 7)],
    "densenet264": [(256, 56), (512, 28), (2304, 14), (2688, 7)],
}
"""Maps and side of the image after each dense block, by table 1 of the paper (161: its blocks with a growth of 48)."""


@pytest.mark.parametrize("name", EXACT)
def test_parameters_and_macs_are_the_published_ones(name: str) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == EXACT[name]


@pytest.mark.parametrize("name", ENDS)
def test_dense_blocks_end_with_the_maps_of_table_one(name: str) -> None:
    shapes = {layer.output_shapes[0] for layer in portray(name).anatomy.layers if layer.type == "cat"}
    assert {(1, maps, side, side) for maps, side in ENDS[name]} <= shapes


@pytest.mark.parametrize("name", ["densenet161", "densenet169", "densenet201"])
def test_torchvisions_weights_fit(name: str) -> None:
    own = build(entry(name), device="meta").state_dict()
    theirs = build(entry(f"torchvision:{name}"), device="meta").state_dict()
    assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in theirs.items()}


@pytest.mark.parametrize(
    ("name", "depth"), [("densenet161", 161), ("densenet169", 169), ("densenet201", 201), ("densenet264", 265)]
)
def test_layers_with_weights_are_as_many_as_the_name_says_but_for_264(name: str, depth: int) -> None:
    network = build(entry(name), device="meta")
    assert isinstance(network, models.DenseNet)
    # Table 1 gives 264 blocks of 6, 12, 64 and 48 layers: 1 + 2 · 130 + 3 + 1.
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == depth


def test_the_growth_rate_sets_the_stem_too() -> None:
    network = build(entry("densenet161"), device="meta", growth_rate=24)
    assert network.get_parameter("features.conv0.weight").shape == (48, 3, 7, 7)


def test_a_growth_rate_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"^growth_rate must be from 1 to 256, not 300"):
        build(entry("densenet264"), growth_rate=300)
