"""EfficientNet and EfficientNet-Lite beside the numbers of their papers and libraries."""

from __future__ import annotations

import pytest

from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError
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


@pytest.mark.parametrize(
    ("phi", "name", "side"),
    [
        (0, "efficientnet_b0", 224),
        (1, "efficientnet_b2", 258),
        (2, "efficientnet_b3", 296),
        (3.5, "efficientnet_b4", 365),
    ],
)
def test_the_rule_gives_the_published_networks_where_its_coefficients_round_to_theirs(
    phi: float, name: str, side: int
) -> None:
    scaled = build(entry("efficientnet"), device="meta", phi=phi)
    published = build(entry(name), device="meta")
    assert {path: value.shape for path, value in scaled.state_dict().items()} == {
        path: value.shape for path, value in published.state_dict().items()
    }
    assert scaled.resolution == side


def test_the_rule_makes_b7_deeper_than_it_was_published() -> None:
    """The published depth is 3.1, the rule's is 1.2 to the power of 7, 3.58; the widths are 2.0 and 1.95."""
    shown = portray("efficientnet", (3, 32, 32), {"phi": 7}).anatomy
    published = portray("efficientnet_b7", (3, 32, 32)).anatomy
    blocks = [sum(group.type == "MBConv" for group in anatomy.groups) for anatomy in (shown, published)]
    assert blocks == [61, 55]
    assert shown.params == 68_741_810


def test_each_factor_scales_what_it_is_called_after() -> None:
    def built(alpha: float = 1, beta: float = 1, gamma: float = 1) -> tuple[int, int, object]:
        network = build(entry("efficientnet"), device="meta", phi=1, alpha=alpha, beta=beta, gamma=gamma)
        blocks = sum(type(module).__name__ == "MBConv" for module in network.modules())
        return blocks, network.state_dict()["classifier.1.weight"].shape[1], network.resolution

    assert built() == (16, 1280, 224)
    assert built(alpha=2) == (32, 1280, 224)
    assert built(beta=1.5) == (16, 1920, 224)
    assert built(gamma=1.15) == (16, 1280, 258)


@pytest.mark.parametrize(("alpha", "beta", "named"), [(2, 1, "alpha"), (1, 2, "beta")])
def test_a_rule_that_asks_for_too_much_is_refused_with_what_to_change(alpha: float, beta: float, named: str) -> None:
    with pytest.raises(InputError, match=rf"^{named} to the power of phi must be from 1 to 8, not 1\.02e\+03"):
        build(entry("efficientnet"), device="meta", phi=10, alpha=alpha, beta=beta)
