"""Inception v3, v4 and Inception-ResNet v2 beside their published numbers."""

from __future__ import annotations

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray
from explorer.tasks.classification import split_outputs


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("inception_v3", 23834568, 5713216096),
        ("inception_v4", 42679816, 12253974624),
        ("inception_resnet_v2", 55843464, 13155794016),
    ],
)
def test_counts_are_the_published_ones(name: str, params: int, macs: int) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("inception_v3", [(192, 35, 35), (288, 35, 35), (768, 17, 17), (1280, 8, 8), (2048, 8, 8)]),
        ("inception_v4", [(384, 35, 35), (1024, 17, 17), (1536, 8, 8)]),
        ("inception_resnet_v2", [(320, 35, 35), (1088, 17, 17), (2080, 8, 8), (1536, 8, 8)]),
    ],
)
def test_grids_shrink_as_in_the_papers(name: str, shapes: list[tuple[int, int, int]]) -> None:
    layers = iter(portray(name).anatomy.layers)
    for shape in shapes:
        assert any((1, *shape) in layer.output_shapes for layer in layers), shape


def test_the_auxiliary_head_of_inception_v3_speaks_in_training_alone() -> None:
    network = build(entry("inception_v3"), device="meta", aux=True, num_classes=5)
    x = torch.zeros(2, 3, 299, 299, device="meta")
    main, extra = split_outputs(network.train()(x))
    assert main.shape == (2, 5)
    assert [head.shape for head in extra] == [(2, 5)]
    assert split_outputs(network.eval()(x))[1] == ()
    assert portray("inception_v3", given={"aux": True}).anatomy.params == 27161264


def test_an_image_too_small_for_the_auxiliary_head_is_refused() -> None:
    with pytest.raises(InputError, match="inception_v3 with aux needs 299×299 pixels, not 299×298"):
        build(entry("inception_v3"), (3, 299, 298), device="meta", aux=True)
