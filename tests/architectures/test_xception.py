"""Xception beside its paper."""

from __future__ import annotations

from explorer.inspection.portrait import portray


def test_parameters_are_those_of_table_3_to_the_last_one() -> None:
    anatomy = portray("xception").anatomy
    assert anatomy.params == 22855952
    assert anatomy.macs == 8357403496


def test_36_convolutions_and_four_projections_lie_between_the_sizes_of_figure_5() -> None:
    layers = portray("xception").anatomy.layers
    convolutions = [layer for layer in layers if "conv" in layer.type.lower()]
    depthwise = [layer for layer in convolutions if layer.name.rpartition(".")[2] == "conv1" and "." in layer.name]
    projections = [layer for layer in convolutions if layer.name.endswith(".skip")]
    assert len(convolutions) - len(depthwise) - len(projections) == 36
    assert len(depthwise) == 34
    assert len(projections) == 4
    middle = [layer.output_shapes for layer in layers if layer.name.startswith("block7.")]
    assert set(middle) == {((1, 728, 19, 19),)}
    assert ((1, 2048, 10, 10),) in [layer.output_shapes for layer in layers]
