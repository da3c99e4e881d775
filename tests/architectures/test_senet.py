"""Squeeze-and-excitation networks beside their paper."""

from __future__ import annotations

import pytest

from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("name", "params", "macs", "printed"),
    [
        ("seresnet50", 28088024, 3860488192, 3.87),
        ("seresnet101", 49326872, 7574937600, 7.60),
        ("seresnext50", 27559896, 4232994816, 4.25),
        ("senet154", 115088984, 20688363520, 20.77),
    ],
)
def test_counts_are_the_published_ones(name: str, params: int, macs: int, printed: float) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)
    assert anatomy.macs / 1e9 == pytest.approx(printed, rel=0.005)


@pytest.mark.parametrize(
    ("name", "plain"), [("seresnet50", "resnet50"), ("seresnext50", "torchvision:resnext50_32x4d")]
)
def test_excitation_adds_two_dense_layers_a_block_and_hardly_any_work(name: str, plain: str) -> None:
    anatomy = portray(name).anatomy
    excitation = [layer for layer in anatomy.layers if ".se_module.fc" in layer.name]
    assert len(excitation) == 2 * (3 + 4 + 6 + 3)
    by_arithmetic = sum(
        blocks * (2 * width * width // 16 + width + width // 16)
        for blocks, width in ((3, 256), (4, 512), (6, 1024), (3, 2048))
    )
    assert sum(layer.params for layer in excitation) == by_arithmetic
    assert anatomy.params - by_arithmetic == portray(plain).anatomy.params
    assert sum(layer.macs for layer in excitation) < 0.001 * anatomy.macs


@pytest.mark.parametrize(("reduction", "without_bias"), [(2, 45_676_584), (8, 30_586_920), (16, 28_071_976)])
def test_the_reduction_is_how_many_times_narrower_the_excitation_is(reduction: int, without_bias: int) -> None:
    anatomy = portray("seresnet50", (3, 64, 64), {"reduction": reduction}).anatomy
    biases = sum(blocks * (width + width // reduction) for blocks, width in ((3, 256), (4, 512), (6, 1024), (3, 2048)))
    assert anatomy.params == without_bias + biases
