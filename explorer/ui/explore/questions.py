"""What the Explore page asks of its background thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

from explorer.architectures.options import Scalar
from explorer.inspection.portrait import Portrait, Totals, original_totals, portray
from explorer.ui.torch_loading import Engine, load_torch


@dataclass(frozen=True, slots=True)
class Inspected:
    """The answer to a question for a network."""

    portrait: Portrait
    original: Totals | None
    """Totals of what it was made from by surgery, with the same input and options."""
    engine: Engine | None = None
    """With the first answer."""


def load_and_inspect(name: str) -> Inspected:
    """The first question: loads torch and inspects the network that the window opens with."""
    engine = load_torch()
    return replace(inspect(name, None, {}), engine=engine)


def inspect(name: str, input: tuple[int, int, int] | None, given: dict[str, Scalar]) -> Inspected:
    """Inspects a network, and where surgery made it, what it was made from.

    Raises:
        InputError: as `portray` does.
    """
    load_torch()
    portrait = portray(name, input, given)
    return Inspected(portrait, original_totals(portrait))
