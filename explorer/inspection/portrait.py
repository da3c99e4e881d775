"""A network of the registry, built and inspected: what the window and the command line both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.architectures.entry import Entry, Published
from explorer.architectures.options import Option, Scalar, check_options
from explorer.architectures.registry import build, entry, options
from explorer.architectures.surgery.steps import base_of
from explorer.inspection.anatomy import Anatomy, Shape

CLIP = 16
"""Frames of the clip that a video network is shown."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What surgery changes."""

    params: int
    macs: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """One network at one input size with one choice of options."""

    entry: Entry
    options: tuple[Option, ...]
    """What can be chosen."""
    chosen: tuple[tuple[str, Scalar], ...]
    """What was chosen, by name; the rest is at its default."""
    input: tuple[int, int, int]
    """Channels, height, width."""
    anatomy: Anatomy
    smallest: int = 0
    """Height and width from which on a square input is large enough, where this one is not; 0 where that is not it."""

    @property
    def canonical(self) -> bool:
        """Whether input and options are those that published numbers hold for."""
        return self._holds(self.entry.input, ())

    @property
    def published(self) -> tuple[Published, ...]:
        """The published numbers that hold for this input and these options."""
        return tuple(row for row in self.entry.published if self._holds(row.input or self.entry.input, row.options))

    def _holds(self, input: tuple[int, int, int], options: tuple[tuple[str, Scalar], ...]) -> bool:
        defaults = {option.name: option.default for option in self.options}
        return self.input == input and defaults | dict(self.chosen) == defaults | dict(options)

    @property
    def failure_text(self) -> str:
        """One line that says where and why the input does not fit; empty where all is well."""
        failure = self.anatomy.failure
        if failure is None:
            return ""
        size = "×".join(map(str, self.input))
        place = f"at {failure.layer} ({failure.type})" if failure.layer else f"in {failure.type}"
        text = f"{self.entry.name} cannot take an input of {size}: {place}, {failure.message}"
        return f"{text}; height and width must be at least {self.smallest}" if self.smallest else text


def portray(name: str, input: tuple[int, int, int] | None = None, given: Mapping[str, Any] | None = None) -> Portrait:
    """Builds a network on the meta device and inspects it; nothing is allocated.

    Args:
        name: a registry name.
        input: channels, height, width; None for the network's own.
        given: builder options, as values or as text.

    Raises:
        InputError: unknown name or option, a value out of range, a user's file that fails.
    """
    from explorer.inspection.capture import capture

    network = entry(name)
    known = options(network)
    chosen = check_options(known, given or {}, network.name)
    module = build(network, input, device="meta", **chosen)
    size = input or network.input
    # Where an option says how large another input is, the module knows better than the card.
    others = getattr(module, "other_inputs", network.other_inputs)
    anatomy = capture(module, input_shapes(network, size, others))
    smallest = 0
    if anatomy.failure is not None and min(size[1:]) < min(network.input[1:]):
        smallest = _smallest_side(network, size, chosen)
    return Portrait(network, known, tuple(chosen.items()), size, anatomy, smallest)


def _smallest_side(network: Entry, size: tuple[int, int, int], chosen: Mapping[str, Scalar]) -> int:
    """Returns a side that square inputs need, between the one given and the network's own, by halving; 0 if unknown."""
    too_small, enough = min(size[1:]), min(network.input[1:])
    if not _runs(network, (size[0], enough, enough), chosen):
        return 0  # it is not the size
    while enough - too_small > 1:
        side = (too_small + enough) // 2
        if _runs(network, (size[0], side, side), chosen):
            enough = side
        else:
            too_small = side
    return enough


def _runs(network: Entry, size: tuple[int, int, int], chosen: Mapping[str, Scalar]) -> bool:
    import torch

    try:
        module = build(network, size, device="meta", **chosen).eval()
        with torch.no_grad():
            module(*(torch.zeros(shape, device="meta") for shape in input_shapes(network, size, network.other_inputs)))
    except Exception:  # whatever a network raises where its input is too small
        return False
    return True


def original_totals(portrait: Portrait) -> Totals | None:
    """Returns the totals of the network that surgery made this one from, at the same input and options.

    None where there was no surgery, or where the original cannot take that input.
    """
    name = portrait.entry.name
    if base_of(name) == name:
        return None
    own = {key: value for key, value in portrait.chosen if "." not in key}
    anatomy = portray(base_of(name), portrait.input, own).anatomy
    return Totals(anatomy.params, anatomy.macs) if anatomy.failure is None else None


def input_shapes(
    entry: Entry, size: tuple[int, int, int], other_inputs: tuple[tuple[int, ...], ...] = ()
) -> list[Shape]:
    """Returns the shapes of what a network takes: an image, a clip, two frames of a film, or an image and a text."""
    if entry.task == "video":
        return [(1, size[0], CLIP, *size[1:])]
    others = [(1, *shape) for shape in other_inputs]
    return [(1, *size)] * (2 if entry.task == "optical_flow" else 1) + others
