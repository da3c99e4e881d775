"""MobileNetV3 beside its paper and timm's own version."""

from __future__ import annotations

import pytest

from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("name", "twin", "params", "macs", "blocks"),
    [
        ("mobilenet_v3_large", "timm:mobilenetv3_large_100", 5483032, 216589760, 15),
        ("mobilenet_v3_small", "timm:mobilenetv3_small_100", 2542856, 56510400, 11),
    ],
)
def test_counts_are_the_published_ones_and_those_of_another_implementation(
    name: str, twin: str, params: int, macs: int, blocks: int
) -> None:
    anatomy = portray(name).anatomy
    other = portray(twin, (3, 224, 224)).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)
    assert (other.params, other.macs) == (params, macs)
    assert sum(group.type == "InvertedResidual" for group in anatomy.groups) == blocks
