"""HybridSN: table I of its paper, and windows of other sizes."""

from __future__ import annotations

from explorer.architectures.registry import entry
from explorer.inspection.portrait import portray


def test_layers_are_those_of_table_one() -> None:
    anatomy = portray("hybridsn").anatomy
    assert (anatomy.params, anatomy.macs) == (5_122_176, 247_683_392)
    assert [(layer.type, layer.output_shapes[0][1:], layer.params) for layer in anatomy.layers if layer.params] == [
        ("Conv3d", (8, 24, 23, 23), 512),
        ("Conv3d", (16, 20, 21, 21), 5_776),
        ("Conv3d", (32, 18, 19, 19), 13_856),
        ("Conv2d", (64, 17, 17), 331_840),
        ("Linear", (256,), 4_735_232),
        ("Linear", (128,), 32_896),
        ("Linear", (16,), 2_064),
    ]


def test_bands_become_maps_before_the_flat_convolution() -> None:
    layers = {layer.name: layer for layer in portray("hybridsn").anatomy.layers}
    assert layers["features.conv4"].input_shapes == ((1, 32 * 18, 19, 19),)


def test_other_windows_and_numbers_of_bands_fit() -> None:
    anatomy = portray("hybridsn", (15, 19, 21), {"num_classes": 9}).anatomy
    assert anatomy.failure is None
    shapes = {layer.name: layer.output_shapes[0] for layer in anatomy.layers}
    assert shapes["features.maps"] == (1, 32 * 3, 13, 15)
    assert anatomy.outputs == ((1, 9),)


def test_too_few_bands_are_refused_where_they_do_not_suffice() -> None:
    assert "at features.conv3" in portray("hybridsn", (12, 25, 25)).failure_text


def test_the_card_gives_one_mean_and_deviation_for_all_thirty_components() -> None:
    known = entry("hybridsn")
    assert known.mean == (0.0,) * 30
    assert known.std == (1.0,) * 30
