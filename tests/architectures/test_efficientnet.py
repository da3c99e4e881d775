"""EfficientNet and EfficientNet-Lite beside the numbers of their papers and libraries."""

from __future__ import annotations

import pytest

from explorer.architectures.registry import entry, options
from explorer.inspection.portrait import portray

COUNTS = {
    "efficientnet_b0": (224, 5288548, 385814752),
    "efficientnet_b1": (240, 7794184, 686802832),
    "efficientnet_b2": (260, 9109994, 993561872),
    "efficientnet_b3": (300, 12233232, 1827141392),
    "efficientnet_b4": (380, 19341616, 4393771024),
    "efficientnet_b5": (456, 30389784, 10266384752),
    "efficientnet_b6": (528, 43040704, 19067593536),
    "efficientnet_b7": (600, 66347960, 37745884192),
}
LITE = {
    "efficientnet_lite0": (224, 4652008, 0.40),
    "efficientnet_lite1": (240, 5416680, 0.62),
    "efficientnet_lite2": (260, 6092072, 0.89),
    "efficientnet_lite3": (300, 8197096, 1.65),
    "efficientnet_lite4": (380, 13006568, 4.04),
}
"""timm's own sizes and GMACs, which count batch normalisation as well."""


@pytest.mark.parametrize("name", COUNTS)
def test_compound_scaling_gives_the_sizes_of_table_2(name: str) -> None:
    anatomy = portray(name).anatomy
    side, params, macs = COUNTS[name]
    assert anatomy.inputs == ((1, 3, side, side),)
    assert (anatomy.params, anatomy.macs) == (params, macs)


def test_dropout_grows_with_the_network() -> None:
    defaults = [option.default for name in COUNTS for option in options(entry(name)) if option.name == "dropout"]
    assert defaults == [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5]


@pytest.mark.parametrize("name", LITE)
def test_lite_versions_have_the_counts_that_timm_publishes(name: str) -> None:
    side, params, gmacs = LITE[name]
    anatomy = portray(name, (3, side, side)).anatomy
    assert anatomy.params == params
    assert 0.95 * gmacs < anatomy.macs / 1e9 < gmacs


@pytest.mark.parametrize("name", LITE)
def test_lite_versions_have_no_squeeze_and_keep_their_stem_and_head(name: str) -> None:
    anatomy = portray(name).anatomy
    convolutions = [layer for layer in anatomy.layers if "conv" in layer.type.lower()]
    assert convolutions[0].output_shapes[0][1] == 32
    assert convolutions[-1].output_shapes[0][1] == 1280
    types = {layer.type for layer in anatomy.layers}
    assert not types & {"SiLU", "Sigmoid", "sigmoid", "mul"}
