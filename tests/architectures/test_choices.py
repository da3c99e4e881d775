"""Whatever a card lets one choose gives a network that runs and learns, or is refused with the option's name."""

from __future__ import annotations

import random

import pytest
import torch
from test_catalogue import NAMES, SMALL_INPUTS, loss_of

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Entry
from explorer.architectures.options import Option, Scalar
from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError
from explorer.inspection.portrait import Portrait, portray

CHOICES = 3
"""How many random choices a network is tried with."""


def small(known: Entry) -> bool:
    """Returns whether a network is quick to train in a test."""
    params = known.published[0].params
    return params is not None and params.value < 3_000_000 and known.input[1] <= 40


OPTIONS = [
    pytest.param(name, option, id=f"{name}-{option.name}")
    for name in NAMES
    for option in options(entry(name))
    if option.name != "num_classes"
]


def ends(option: Option) -> list[Scalar]:
    """The values at which an option is most likely to break: all that can be listed, or both ends of its range."""
    if option.type is bool:
        return [True, False]
    if option.choices:
        return list(option.choices)
    assert option.minimum is not None
    assert option.maximum is not None
    return [option.type(option.minimum), option.type(option.maximum)]


def some_value(option: Option, dice: random.Random) -> Scalar:
    """Returns a value near enough to the default for the network to be trained in a test."""
    if option.name == "num_classes":
        return 3
    if option.type is bool or option.choices:
        return dice.choice(ends(option))
    assert option.minimum is not None
    assert option.maximum is not None
    reach = 2 * float(option.default) or 1.0
    if option.type is int:
        return dice.randint(int(option.minimum), max(int(option.minimum), int(min(option.maximum, reach))))
    return round(dice.uniform(option.minimum, min(option.maximum, reach)), 2)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_both_ends_of_a_range_give_a_network_that_runs_or_are_refused_by_name(name: str, option: Option) -> None:
    for value in ends(option):
        shown, refusal = portrait_or_refusal(name, {option.name: value})
        if shown is None:
            assert option.name in refusal
            assert value != option.default
        else:
            assert shown.failure_text == ""
            assert shown.anatomy.outputs


def portrait_or_refusal(
    name: str, given: dict[str, Scalar], size: tuple[int, int, int] | None = None
) -> tuple[Portrait | None, str]:
    try:
        return portray(name, size, given), ""
    except InputError as error:
        return None, str(error)


@pytest.mark.parametrize(
    "name",
    [pytest.param(known.name, marks=[] if small(known) else [pytest.mark.slow]) for known in catalogue()],
)
def test_a_random_choice_of_options_learns(name: str) -> None:
    known = entry(name)
    dice = random.Random(name)
    if len(options(known)) <= 1:
        return  # the number of classes alone: other tests choose it
    for _ in range(CHOICES):
        given = {option.name: some_value(option, dice) for option in options(known)}
        size = SMALL_INPUTS.get(name, known.input if known.input[1] <= 32 else (3, 64, 64))
        shown, refusal = portrait_or_refusal(name, given, size)
        if shown is None:
            assert any(option in refusal for option in given), given
            continue
        torch.manual_seed(0)
        network = build(known, size, **given).train()
        others = shown.anatomy.inputs[1:]
        loss = loss_of(name, network(torch.randn(4, *size), *(torch.randn(4, *shape[1:]) for shape in others)))
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite(), given
        gradients = {path: parameter.grad for path, parameter in network.named_parameters()}
        assert [path for path, gradient in gradients.items() if gradient is None] == [], given
        assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None), given
