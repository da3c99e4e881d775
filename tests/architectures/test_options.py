"""Builder options: read off a signature, parsed from values or text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import pytest

from explorer.architectures.options import Option, Range, check_options, options_of
from explorer.errors import InputError

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


def builder(
    required: int,
    classes: Annotated[int, Range(1, 100), "how many"] = 10,
    width: Annotated[float, Range(0.5, 4)] = 1,
    norm: bool = True,
    kind: Literal["max", "average"] = "max",
    depth: Literal[18, 34] = 18,
    label: str = "x",
    nothing: int | None = None,
    sizes: tuple[int, ...] = (3, 3),
    *,
    seed: int = 0,
    **rest: object,
) -> None:
    """A builder with all that a signature can hold."""


OPTIONS = {option.name: option for option in options_of(builder)}


def test_parameters_with_a_plain_default_are_options() -> None:
    assert list(OPTIONS) == ["classes", "width", "norm", "kind", "depth", "label", "seed"]


def test_type_bounds_choices_and_help_come_from_the_annotation() -> None:
    assert OPTIONS["classes"] == Option("classes", int, 10, 1, 100, (), "how many")
    assert OPTIONS["width"] == Option("width", float, 1.0, 0.5, 4)
    assert isinstance(OPTIONS["width"].default, float)
    assert OPTIONS["norm"] == Option("norm", bool, True)
    assert OPTIONS["kind"] == Option("kind", str, "max", choices=("max", "average"))
    assert OPTIONS["depth"] == Option("depth", int, 18, choices=("18", "34"))


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("norm", "true", True),
        ("norm", "Yes", True),
        ("norm", "0", False),
        ("norm", False, False),
        ("classes", "12", 12),
        ("classes", "1e1", 10),
        ("classes", 12.0, 12),
        ("classes", 100, 100),
        ("width", "0.5", 0.5),
        ("width", 2, 2.0),
        ("kind", "average", "average"),
        ("depth", "34", 34),
        ("depth", 34, 34),
        ("label", 5, "5"),
        ("seed", "9007199254740993", 9007199254740993),  # one more than a double can tell
        ("seed", "-7", -7),
    ],
)
def test_values_and_text_become_the_options_type(name: str, value: object, parsed: object) -> None:
    result = OPTIONS[name].parse(value)
    assert result == parsed
    assert type(result) is type(parsed)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("norm", "maybe", "norm must be true or false, not 'maybe'"),
        ("norm", 2, "norm must be true or false, not 2"),
        ("classes", "ten", "classes must be a whole number from 1 to 100, not 'ten'"),
        ("classes", 2.5, "classes must be a whole number from 1 to 100, not 2.5"),
        ("classes", True, "classes must be a whole number from 1 to 100, not True"),
        ("classes", None, "classes must be a whole number from 1 to 100, not None"),
        ("classes", "1e999", "classes must be a whole number from 1 to 100, not '1e999'"),
        ("classes", 0, "classes must be from 1 to 100, not 0"),
        ("classes", "101", "classes must be from 1 to 100, not 101"),
        ("width", "nan", "width must be a number from 0.5 to 4, not 'nan'"),
        ("width", "inf", "width must be a number from 0.5 to 4, not 'inf'"),
        ("width", "0.49", "width must be from 0.5 to 4, not 0.49"),
        ("kind", "median", "kind must be one of max, average, not 'median'"),
        ("depth", "50", "depth must be one of 18, 34, not '50'"),
        ("seed", "", "seed must be a whole number, not ''"),
    ],
)
def test_what_does_not_fit_is_told_with_the_value_and_what_would(name: str, value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        OPTIONS[name].parse(value)
    assert str(caught.value) == message


def test_a_class_has_the_options_of_its_constructor() -> None:
    class Network:
        def __init__(self, width: Annotated[int, Range(1, 8)] = 2) -> None:
            self.width = width

    assert options_of(Network) == (Option("width", int, 2, 1, 8),)


def test_annotations_that_cannot_be_resolved_leave_what_the_defaults_tell() -> None:
    def unresolved(other: Missing, width: int = 3, rate: float = 0.5) -> Missing:
        raise NotImplementedError

    assert options_of(unresolved) == (Option("width", int, 3), Option("rate", float, 0.5))


def test_a_callable_without_a_signature_has_no_options() -> None:
    assert options_of(dict) == ()


def test_given_options_are_checked_by_name() -> None:
    options = tuple(OPTIONS.values())
    assert check_options(options, {"classes": "3", "norm": "no"}, "net") == {"classes": 3, "norm": False}
    assert check_options(options, {}, "net") == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("clases", "net has no option 'clases': did you mean classes?"),
        ("zzz", "net has no option 'zzz': it has classes, width, norm, kind, depth, label, seed"),
        ("required", "net has no option 'required': it has classes"),
    ],
)
def test_an_unknown_option_is_told_with_a_close_or_every_name(given: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_options(tuple(OPTIONS.values()), {given: 1}, "net")
    assert str(caught.value).startswith(message)


def test_a_network_without_options_says_so() -> None:
    with pytest.raises(InputError, match="it has no options"):
        check_options((), {"width": 1}, "net")
