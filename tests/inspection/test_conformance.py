"""The catalogue's networks beside everything that their cards say has been printed of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Entry, Figure, Published, Stage, Text
from explorer.architectures.options import Scalar
from explorer.inspection.conformance import check_text, checks, output_shape, worst
from explorer.inspection.portrait import Portrait, portray

Setting = tuple[tuple[int, int, int], tuple[tuple[str, Scalar], ...]]


def described(name: str, setting: Setting) -> str:
    size, options = setting
    return "-".join([name, *map(str, size[1:]), *(f"{key}={value}" for key, value in options)])


SETTINGS = [
    pytest.param(known, *setting, id=described(known.name, setting))
    for known in catalogue()
    for setting in dict.fromkeys((row.input or known.input, row.options) for row in known.published)
]


@cache
def portrait(name: str, input: tuple[int, int, int], options: tuple[tuple[str, Scalar], ...]) -> Portrait:
    return portray(name, input, dict(options))


@pytest.mark.parametrize(("known", "input", "options"), SETTINGS)
def test_what_is_printed_is_met_or_the_difference_explained(
    known: Entry, input: tuple[int, int, int], options: tuple[tuple[str, Scalar], ...]
) -> None:
    shown = portrait(known.name, input, options)
    assert shown.published, "the row is found again by what it holds for"
    found = checks(shown)
    assert found
    assert [check_text(check) for check in found if check.verdict == "differs"] == []


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_the_first_numbers_on_a_card_are_exactly_those_of_its_network(known: Entry) -> None:
    first = known.published[0]
    shown = portrait(known.name, known.input, ())
    assert shown.published[0] == first, "the first row holds for the network as it is"
    assert first.params is not None
    assert first.params.value == shown.anatomy.params
    assert first.macs is None or first.macs.agrees(shown.anatomy.macs)


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_a_reason_is_given_where_there_is_a_difference_and_nowhere_else(known: Entry) -> None:
    """A reason without a difference is a claim that nothing supports."""
    for row in known.published:
        shown = portrait(known.name, row.input or known.input, row.options)
        found = [check for check in checks(shown) if check.source == row.source]
        assert any(check.why == row.why for check in found) or not row.why.en, row
    shown = portrait(known.name, known.input, ())
    for stage in known.stages:
        measured = output_shape(shown.anatomy, stage.path)
        assert measured is not None, f"{stage.name}: nothing is called {stage.path}"
        assert (measured[1:] != stage.shape) == bool(stage.why.en), stage


@pytest.mark.parametrize(
    ("printed", "value", "agreeing", "differing"),
    [
        ("25,557,032", 25_557_032, [25_557_032], [25_557_031, 25_557_033]),
        ("25.6 M", 25_600_000, [25_557_032, 25_650_000], [25_499_999, 25_700_001]),
        ("3.8 G", 3_800_000_000, [3_857_973_248], [4_089_184_256]),
        ("0.27 M", 270_000, [269_722, 279_999], [259_000]),
        ("569 M", 569_000_000, [568_740_352], [570_000_001]),
        ("61 K", 61_000, [61_706], [62_000]),
    ],
)
def test_the_digits_of_a_figure_tell_how_exact_it_is(
    printed: str, value: int, agreeing: list[int], differing: list[int]
) -> None:
    figure = Figure(printed)
    assert figure.value == value
    assert all(figure.agrees(measured) for measured in agreeing)
    assert not any(figure.agrees(measured) for measured in differing)


@pytest.mark.parametrize("printed", ["", "many", "1.2 B", "-3", "3,8 G "])
def test_what_is_not_a_count_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="is not a count"):
        _ = Figure(printed).value


def test_each_verdict_is_told_with_its_reason() -> None:
    shown = portrait("lenet5", (1, 32, 32), ())
    rows = (
        Published("a", Figure("61,706")),
        Published("b", Figure("62 K")),
        Published("c", Figure("60 K"), why=Text("it counts otherwise", "计数方式不同")),
        Published("d", Figure("60 K")),
        Published("e", Figure("60 K"), options=(("num_classes", 3),)),
    )
    stages = (Stage("C1", "features.c1", (6, 28, 28)), Stage("C3", "features.c3", (16, 9, 9)), Stage("C9", "c9", (1,)))
    found = checks(replace(shown, entry=replace(shown.entry, published=rows, stages=stages, stages_from="f")))
    assert [check.source for check in found] == ["a", "b", "c", "d", "f", "f", "f"]
    assert [check.verdict for check in found] == [
        "exact",
        "agrees",
        "explained",
        "differs",
        "exact",
        "differs",
        "differs",
    ]
    assert check_text(found[2]) == "≠ parameters: 60 K printed, 61,706 measured (c): it counts otherwise"
    assert found[0].why == Text()
    assert found[5].measured == "16×10×10"
    assert found[6].measured == "not there"
    assert worst(found) == "differs"
    assert worst(found[:3]) == "explained"
    assert worst(()) is None
