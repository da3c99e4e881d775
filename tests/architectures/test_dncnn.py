"""DnCNN: its counts, and what it gives for images of any size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("given", "params"), [({}, 556_096), ({"first_bias": False}, 556_032), ({"depth": 20}, 667_072)]
)
def test_counts(given: dict[str, Any], params: int) -> None:
    anatomy = portray("dncnn_s", given=given).anatomy
    assert anatomy.params == params
    weights = [layer for layer in anatomy.layers if layer.type == "Conv2d"]
    assert len(weights) == given.get("depth", 17)
    assert anatomy.macs == (2 * 64 * 9 + (len(weights) - 2) * 64 * 64 * 9) * 40 * 40


@pytest.mark.parametrize("input", [(1, 40, 40), (3, 33, 50)])
def test_the_image_that_comes_out_is_as_large_as_the_one_that_goes_in(input: tuple[int, int, int]) -> None:
    anatomy = portray("dncnn_s", input).anatomy
    assert anatomy.failure is None
    assert anatomy.outputs == ((1, *input),)
    assert {layer.output_shapes[0] for layer in anatomy.layers if layer.type == "ReLU"} == {(1, 64, *input[1:])}


def test_what_the_layers_estimate_is_taken_from_the_image() -> None:
    network: Any = build(entry("dncnn_s")).eval()
    x = torch.rand(2, 1, 12, 12)
    with torch.no_grad():
        assert torch.allclose(network(x) + network.noise(x), x, atol=1e-5)
        nn.init.zeros_(network.noise[-1].weight)
        assert torch.equal(network(x), x)
