"""A network of the registry, built and inspected: what the window and the command line both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.architectures.options import Option, Scalar, check_options
from explorer.architectures.registry import Entry, Published, build, entry, options
from explorer.inspection.anatomy import Anatomy, Shape

CLIP = 16
"""Frames of the clip that a video network is shown."""


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

    @property
    def canonical(self) -> bool:
        """Whether input and options are those that published numbers hold for."""
        defaults = {option.name: option.default for option in self.options}
        return self.input == self.entry.input and all(defaults[name] == value for name, value in self.chosen)

    @property
    def published(self) -> Published | None:
        """The published numbers, where they hold for this input and these options."""
        return self.entry.published if self.canonical else None

    @property
    def failure_text(self) -> str:
        """One line that says where and why the input does not fit; empty where all is well."""
        failure = self.anatomy.failure
        if failure is None:
            return ""
        size = "×".join(map(str, self.input))
        place = f"at {failure.layer} ({failure.type})" if failure.layer else f"in {failure.type}"
        return f"{self.entry.name} cannot take an input of {size}: {place}, {failure.message}"


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
    return Portrait(network, known, tuple(chosen.items()), size, capture(module, input_shapes(network.task, size)))


def input_shapes(task: str, size: tuple[int, int, int]) -> list[Shape]:
    """Returns the shapes of what a network of that task takes: an image, a clip, or two frames of a film."""
    if task == "video":
        return [(1, size[0], CLIP, *size[1:])]
    return [(1, *size)] * (2 if task == "optical_flow" else 1)
