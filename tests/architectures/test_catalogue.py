"""The catalogue: cards, builders and what each network promises."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from explorer import architectures
from explorer.architectures.cards import catalogue, descendants, families, ideas, words
from explorer.architectures.entry import Entry
from explorer.architectures.options import Option
from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError
from explorer.resources import resource
from explorer.tasks import classification

NAMES = [known.name for known in catalogue()]
CLASSIFIERS = [known.name for known in catalogue() if known.task in ("classification", "hyperspectral")]
CARDS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(resource("cards").glob("*.toml"))
}
HEAVY = {known.name for known in catalogue() if known.published[0].params.value > 40_000_000}
HEAVY |= {"resnet1202_cifar", "preact_resnet1001_cifar"}
"""Networks whose step of training takes seconds even on a small input: those are trained with `-m slow` alone."""
SMALL_INPUTS = {
    "alexnet": (3, 99, 99),
    "googlenet": (3, 80, 80),
    **{f"vgg{depth}": (3, 32, 32) for depth in (11, 13, 16, 19)},
}
SMALL_INPUTS |= {"alexnet_flowers17": (3, 215, 215), "vgg11_lrn": (3, 32, 32), "vgg16_c": (3, 32, 32)}
SMALL_INPUTS |= {f"efficientnet_b{scale}": (3, 32, 32) for scale in range(1, 8)}
SMALL_INPUTS |= {"inception_v3": (3, 75, 75), "inception_v4": (3, 75, 75), "inception_resnet_v2": (3, 75, 75)}
SMALL_INPUTS |= {"xception": (3, 32, 32)}
SMALL_INPUTS |= dict.fromkeys((f"efficientnet_lite{scale}" for scale in range(5)), (3, 32, 32))
SMALL_INPUTS |= dict.fromkeys(
    ("efficientnet", "efficientnet_b0", "mobilenet_v3_large", "mobilenet_v3_small"), (3, 32, 32)
)
SMALL_INPUTS |= dict.fromkeys(("mobilenet_v1_cifar", "mobilenet_v2_cifar", "cdncnn_b"), (3, 16, 16))
SMALL_INPUTS |= dict.fromkeys(("dncnn_s", "dncnn_b", "dncnn_3"), (1, 16, 16)) | {"dscmr": (16, 1, 1)}
SMALL_INPUTS |= dict.fromkeys(("seresnet50", "seresnet101", "seresnext50", "senet154"), (3, 32, 32))
SMALL_INPUTS |= dict.fromkeys(("plain18", "plain34", "resnet34_keras", "resnetv2_50", "resnext50"), (3, 32, 32))
SMALL_INPUTS |= dict.fromkeys(
    ("wide_resnet_cifar", "resnext29_cifar", "resnet110_cifar", "plain110_cifar"), (3, 16, 16)
)
SMALL_INPUTS |= dict.fromkeys(("preact_resnet110_cifar", "preact_resnet164_cifar"), (3, 16, 16))
SMALL_INPUTS |= dict.fromkeys(("highway19_cifar", "highway32_cifar"), (3, 16, 16))
SMALL_INPUTS |= {f"densenet{depth}": (3, 32, 32) for depth in (161, 169, 201, 264)}
SMALL_INPUTS |= {known.name: (3, 16, 16) for known in catalogue() if known.name.startswith("drn_")}
HEAVY |= {f"drn_{form}" for form in ("a_34", "a_50", "b_26", "c_42", "d_24", "d_38", "d_40", "d_54")}
HEAVY |= {"inception_resnet_v1"}
SMALL_INPUTS |= {"context_module": (21, 16, 16), "context_module_large": (21, 8, 8), "inception_module": (192, 4, 4)}
SMALL_INPUTS |= {"bn_inception": (3, 32, 32), "googlenet_torchvision": (3, 32, 32), "inception_resnet_v1": (3, 75, 75)}

SMALL_INPUTS |= dict.fromkeys(("seresnet18", "seresnet34", "seresnet152", "seresnext101", "cbam_resnet18"), (3, 32, 32))
SMALL_INPUTS |= dict.fromkeys(("cbam_resnet50", "nonlocal_resnet50", "deformable_resnet50"), (3, 32, 32))
SMALL_INPUTS |= {"resnet50_dilated": (3, 16, 16), "se_bn_inception": (3, 32, 32), "se_inception_resnet_v2": (3, 75, 75)}


@cache
def builders() -> dict[str, Callable[..., nn.Module]]:
    """The public functions of the family modules, by name: those that return a module."""
    found: dict[str, Callable[..., nn.Module]] = {}
    for info in pkgutil.iter_modules(architectures.__path__):
        module = importlib.import_module(f"{architectures.__name__}.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and inspect.signature(function).return_annotation == "nn.Module" and name != "build":
                found[name] = function
    return found


# -- cards ---------------------------------------------------------------------------------------------------------


def test_every_variant_on_a_card_has_its_builder_and_the_other_way_round() -> None:
    on_cards = {name: family for family, card in CARDS.items() for name in card["variants"]}
    built = {name: function.__module__.rpartition(".")[2] for name, function in builders().items()}
    assert on_cards == built


def test_names_are_unique_and_the_oldest_comes_first() -> None:
    variants = [name for card in CARDS.values() for name in card["variants"]]
    assert sorted(variants) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    years = [known.year or 0 for known in catalogue()]
    assert years == sorted(years)


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_leaves_nothing_out(known: Entry) -> None:
    may_be_empty = {"note", "other_inputs", "ancestors", "stages", "stages_from"}
    empty = [field.name for field in fields(known) if field.name not in may_be_empty and not getattr(known, field.name)]
    assert empty == []
    assert all(row.source for row in known.published)
    assert known.published[0].params is not None, "the list is filtered by it"
    assert known.published[0].macs is not None, "the list is filtered by it"
    assert bool(known.stages) == bool(known.stages_from)


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_speaks_both_languages(known: Entry) -> None:
    texts = {"idea": known.idea, "changed": known.changed, "look": known.look, "note": known.note}
    texts |= {f"why of {row.source}": row.why for row in known.published}
    texts |= {f"why of {stage.name}": stage.why for stage in known.stages}
    for what, text in texts.items():
        assert bool(text.en) == bool(text.zh), what
        assert not text.zh or re.search("[\u4e00-\u9fff]", text.zh), what
        assert not re.search("[\u4e00-\u9fff]", text.en), what
    assert known.idea.en
    assert known.changed.en
    assert known.look.en


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_names_its_ancestors_and_ideas_as_they_are_known(known: Entry) -> None:
    assert set(known.ideas) <= set(ideas())
    assert 1 <= len(known.ideas) <= 4
    for ancestor in known.ancestors:
        assert ancestor in families(), ancestor
        assert ancestor != known.file
        assert (families()[ancestor].year or 0) <= (known.year or 0), ancestor


def test_families_have_names_of_their_own_and_descend_from_one_another() -> None:
    assert len({card.family for card in families().values()}) == len(families())
    reached = {name for name, card in families().items() if not card.ancestors}
    while grown := {name for file in reached for name in descendants(file)} - reached:
        reached |= grown
    assert reached == set(families()), "a circle of ancestors"
    assert all(text.en and text.zh for text in (*ideas().values(), *words().values()))
    assert set(ideas()) == {idea for known in catalogue() for idea in known.ideas}, "an idea that finds nothing"


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_describes_the_input_in_full(known: Entry) -> None:
    assert all(size >= 1 for size in known.input)
    assert len(known.mean) == len(known.std) == known.input[0]
    assert all(0 <= mean <= 1 for mean in known.mean)
    assert all(0 < deviation <= 1 for deviation in known.std)


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_dates_the_network_and_points_to_its_paper(known: Entry) -> None:
    assert known.link.startswith("https://")
    assert known.implementation in ("explorer", "torchvision", "timm")
    assert 1980 <= (known.year or 0) <= 2030
    assert len(known.idea.en.split()) >= 25


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_card_names_whose_code_builds_it(known: Entry) -> None:
    package = type(build(known, device="meta")).__module__.partition(".")[0]
    wraps_own = known.implementation == "explorer"
    assert package in (("explorer", "torch") if wraps_own else (known.implementation,))


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_of_a_builder_can_be_chosen(name: str) -> None:
    parameters = set(inspect.signature(builders()[name]).parameters) - {"input"}
    known = options(entry(name))
    assert {option.name for option in known} == parameters
    assert ("num_classes" in parameters) == (name in CLASSIFIERS or entry(name).task == "retrieval")
    assert all(option.help or option.choices for option in known)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_inside_their_ranges(name: str) -> None:
    for option in options(entry(name)):
        assert option.parse(option.default) == option.default
        assert option.parse(str(option.default)) == option.default


def bad_values(option: Option) -> list[object]:
    values: list[object] = ["", "nonsense"]
    if option.minimum is not None and option.maximum is not None:
        values += [option.minimum - 1, option.maximum + 1, "nan", True]
    return values if option.type is not bool else [*values, 2]


@pytest.mark.parametrize(
    ("name", "option"),
    [pytest.param(name, option, id=f"{name}-{option.name}") for name in NAMES for option in options(entry(name))],
)
def test_a_bad_value_is_refused_with_the_option_and_its_range(name: str, option: Option) -> None:
    for value in bad_values(option):
        with pytest.raises(InputError, match=f"^{option.name} must be") as caught:
            build(entry(name), device="meta", **{option.name: value})  # type: ignore[arg-type]
        message = str(caught.value)
        assert "\n" not in message
        if option.choices:
            assert all(choice in message for choice in option.choices)
        elif option.minimum is not None:
            assert f"from {option.minimum:g} to {option.maximum:g}" in message


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_number_of_classes_is_that_of_the_outputs(name: str) -> None:
    known = entry(name)
    network = build(known, device="meta", num_classes=7).eval()
    assert network(torch.zeros(2, *known.input, device="meta")).shape == (2, 7)


def test_an_unknown_option_is_told_with_the_ones_there_are() -> None:
    with pytest.raises(InputError, match="lenet5 has no option 'colour': it has num_classes, activation, pooling"):
        build(entry("lenet5"), colour="red")


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_lenet_is_built_of_the_chosen_parts(activation: str, pooling: str) -> None:
    network = build(entry("lenet5"), activation=activation, pooling=pooling)
    types = [type(module).__name__.lower() for module in network.modules()]
    assert types.count(activation) == 4
    assert types.count("avgpool2d" if pooling == "average" else "maxpool2d") == 2


# -- learning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(pytest.param(name, {}, marks=[pytest.mark.slow] if name in HEAVY else []) for name in NAMES),
        ("googlenet", {"aux": True}),
        ("vgg16_cifar", {"batch_norm": True}),
    ],
)
def test_a_training_step_is_finite_and_reaches_every_parameter(name: str, given: dict[str, Any]) -> None:
    torch.manual_seed(0)
    known = entry(name)
    size = SMALL_INPUTS.get(name, known.input if known.input[1] <= 32 else (3, 64, 64))
    network = build(known, size, **given).train()
    for module in network.modules():  # a branch that starts with a scale of zero gives what is in it no gradient yet
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.ones_(module.weight)
    # Two images are too few: batch normalisation of a map of one cell would make them 1 and -1 whatever they are.
    outputs = network(*(torch.randn(4, *shape) for shape in (size, *known.other_inputs)))
    labels = torch.tensor([0, 1, 0, 1])
    parts = outputs if isinstance(outputs, tuple) else (outputs,)
    squares = torch.stack([part.square().mean() for part in parts if isinstance(part, torch.Tensor)])
    loss: torch.Tensor = classification.loss(outputs, labels) if name in CLASSIFIERS else squares.sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert classification.split_outputs(outputs)[0].isfinite().all()
    gradients = {path: parameter.grad for path, parameter in network.named_parameters()}
    assert [path for path, gradient in gradients.items() if gradient is None or not gradient.any()] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)


def loss_of(name: str, outputs: Any) -> torch.Tensor:
    """A number to which every output of a network contributes."""
    if name in CLASSIFIERS:
        return classification.loss(outputs, torch.tensor([0, 1, 0, 1]))
    parts = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.stack([part.square().mean() for part in parts]).sum()


def test_auxiliary_heads_speak_in_training_alone() -> None:
    network = build(entry("googlenet"), (3, 80, 80), aux=True, num_classes=5)
    x = torch.randn(2, 3, 80, 80)
    main, extra = classification.split_outputs(network.train()(x))
    assert main.shape == (2, 5)
    assert [head.shape for head in extra] == [(2, 5), (2, 5)]
    assert classification.split_outputs(network.eval()(x))[1] == ()


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998", "resnet20_cifar"])
def test_a_network_gives_the_same_weights_for_the_same_seed(name: str) -> None:
    torch.manual_seed(3)
    first = build(entry(name)).state_dict()
    torch.manual_seed(3)
    second = build(entry(name)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


# -- the papers' peculiarities -------------------------------------------------------------------------------------


def test_c3_of_lenet_1998_has_the_connections_of_table_one() -> None:
    from explorer.architectures.lenet import C3_GROUPS

    maps = [sources for group in C3_GROUPS for sources in group]
    assert [len(sources) for sources in maps] == [3] * 6 + [4] * 9 + [6]
    assert len({frozenset(sources) for sources in maps}) == 16
    network: Any = build(entry("lenet5_1998"))
    assert sum(parameter.numel() for parameter in network.c3.parameters()) == 60 * 25 + 16


def test_radial_basis_units_prefer_their_own_code() -> None:
    network: Any = build(entry("lenet5_1998"))
    codes = network.output.codes
    assert codes.shape == (10, 84)
    assert len({tuple(code.tolist()) for code in codes}) == 10
    answers = network.output(codes)
    assert answers.argmax(1).tolist() == list(range(10))
    assert answers.diagonal().tolist() == [0.0] * 10


def test_local_response_normalisation_of_alexnet_is_the_papers() -> None:
    network: Any = build(entry("alexnet"), device="meta")
    layer = network.features.norm1
    x = torch.rand(1, 96, 2, 2) + 0.5
    squares = x.square()
    sums = torch.stack([squares[:, max(0, i - 2) : i + 3].sum(1) for i in range(96)], 1)
    assert torch.allclose(layer(x), x / (2 + 1e-4 * sums) ** 0.75, atol=1e-6)


def test_option_a_shortcut_takes_every_second_cell_and_pads_the_channels() -> None:
    from explorer.architectures.resnet_cifar import Block

    block = Block(4, 8, stride=2).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 4, 6, 6)
    out = block(x)
    assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    assert not out[:, :2].any()
    assert not out[:, 6:].any()
