"""Typed builder options, read off the builder's own signature."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from explorer.errors import InputError

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included; used as `Annotated[int, Range(1, 1000)]`."""

    minimum: float
    maximum: float


Classes = Annotated[int, Range(1, 100_000), "number of classes the network tells apart"]
Probability = Annotated[float, Range(0, 0.99), "share of activations that dropout sets to zero while training"]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing a builder lets its caller choose."""

    name: str
    type: type[Scalar]
    default: Scalar
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    def parse(self, value: object) -> Scalar:
        """Returns `value`, which may be text from a command line, as this option's type.

        Raises:
            InputError: it is of another type or out of range.
        """
        parsed = _convert(value, self.type)
        low, high = self.minimum, self.maximum
        if self.choices and str(parsed) not in self.choices:
            raise InputError(f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}")
        if parsed is None:
            kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[self.type]
            raise InputError(f"{self.name} must be {kind}{self._bounds()}, not {value!r}")
        if (low is not None and parsed < low) or (high is not None and parsed > high):  # type: ignore[operator]
            raise InputError(f"{self.name} must be{self._bounds()}, not {parsed}")
        return parsed

    def _bounds(self) -> str:
        if self.minimum is None or self.maximum is None:
            return ""
        return f" from {self.minimum:g} to {self.maximum:g}"


def _convert(value: object, kind: type[Scalar]) -> Scalar | None:
    """Returns `value` as `kind`, or None where that is not possible without a loss."""
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if kind is str:
        return str(value)
    if isinstance(value, bool):
        return None
    try:
        if kind is int and isinstance(value, int | str):
            return int(value)
    except ValueError:
        pass  # 1e3 is a whole number too
    try:
        number = float(value)  # type: ignore[arg-type]
        if kind is float:
            return number if abs(number) < float("inf") else None
        return int(number) if number == int(number) else None
    except (TypeError, ValueError, OverflowError):
        return None


def options_of(builder: Callable[..., object]) -> tuple[Option, ...]:
    """Returns the options of a builder: its parameters with a plain default, whatever else it takes.

    A bound comes from `Range`, a choice from `Literal`, a help text from a string within `Annotated`.
    """
    try:
        parameters = inspect.signature(builder).parameters
    except (TypeError, ValueError):
        return ()
    # A class is built by its __init__, and that is where its annotations are.
    annotated = builder.__init__ if isinstance(builder, type) else builder  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(annotated, include_extras=True)
    except (AttributeError, NameError, TypeError):  # annotations that name what is not there: the defaults tell
        hints = {}
    options = []
    for parameter in parameters.values():
        default = parameter.default
        if not isinstance(default, int | float | bool | str) or parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        hint = hints.get(parameter.name, type(default))
        extras = hint.__metadata__ if typing.get_origin(hint) is Annotated else ()
        if extras:
            hint = typing.get_args(hint)[0]
        choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
        kind = float if hint is float else type(default)
        bounds = next((extra for extra in extras if isinstance(extra, Range)), None)
        options.append(
            Option(
                name=parameter.name,
                type=kind,
                default=kind(default),
                minimum=bounds.minimum if bounds else None,
                maximum=bounds.maximum if bounds else None,
                choices=tuple(str(choice) for choice in choices),
                help=next((extra for extra in extras if isinstance(extra, str)), ""),
            )
        )
    return tuple(options)


def check_options(options: tuple[Option, ...], given: Mapping[str, Any], owner: str) -> dict[str, Scalar]:
    """Returns the given values, parsed.

    Raises:
        InputError: an unknown option, or a value of the wrong type or out of range.
    """
    known = {option.name: option for option in options}
    checked: dict[str, Scalar] = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'no options'}"
            raise InputError(f"{owner} has no option {name!r}: {hint}")
        checked[name] = known[name].parse(value)
    return checked
