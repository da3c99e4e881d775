"""What is known of a tensor's cells, and a layer at work on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from explorer.inspection.anatomy import ReceptiveField, Shape
from explorer.inspection.cells.axes import Axes, is_place, plain_axis
from explorer.inspection.field_arithmetic import lost, union

_DIGIT = re.compile(r"([123])d")


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a tensor."""

    axes: Axes | None
    """None where the places of its cells are not known."""
    field: ReceptiveField | None


@dataclass(frozen=True, slots=True)
class Step:
    """A layer at work on what is known of its inputs."""

    type: str
    settings: Mapping[str, object]
    sources: tuple[tuple[State, Shape], ...]
    after: Shape
    macs: int
    sides: Shape
    """Spatial sizes of the network's input."""

    @property
    def rank(self) -> int:
        """Spatial dimensions of the network's input."""
        return len(self.sides)

    @property
    def kind(self) -> str:
        """The type, written the same for a module and its function: `adaptiveavgpool2d`."""
        return self.type.lower().replace("_", "")

    @property
    def axes(self) -> Axes | None:
        """Of the first input."""
        return self.sources[0][0].axes

    @property
    def before(self) -> Shape:
        """Shape of the first input."""
        return self.sources[0][1]

    @property
    def field(self) -> ReceptiveField | None:
        """Of all inputs together."""
        return union(state.field for state, _ in self.sources)

    def dimensions(self, default: int) -> int:
        """Returns in how many dimensions the layer works, by its name."""
        found = _DIGIT.search(self.kind)
        return int(found[1]) if found else default


def keep(step: Step) -> State:
    """Returns what is known where every cell stays at its place."""
    axes = tuple(a if is_place(a) else plain_axis(n) for a, n in zip(step.axes or (), step.after, strict=True))
    return State(axes, step.field)


def unknown(step: Step) -> State:
    """Returns what is left where cells go to places that no rule tells."""
    return State(None, lost(step.field))


def pick(value: object, count: int) -> tuple[int, ...]:
    """Returns one or several axes as indices from 0; none where the value names none."""
    values = value if isinstance(value, tuple | list) else (value,)
    if any(isinstance(v, bool) or not isinstance(v, int) or not -count <= v < count for v in values):
        return ()
    return tuple(int(v) % count for v in values)


def each(value: object, count: int) -> tuple[int, ...]:
    """Returns a size for each of `count` dimensions, where one number stands for all."""
    sizes = tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),)  # type: ignore[call-overload]
    return sizes * count if len(sizes) == 1 else sizes
