"""Turns an outline into a picture: where each node lies, how each tensor runs, where its shape is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from explorer.inspection.graph.layered_grid import Item, Link, Tensor
from explorer.inspection.graph.layered_layout import Curve, Level, lay_out_level
from explorer.inspection.graph.outline import Edge, Node, Outline

PADDING = 14.0
"""Between the border of an open group and what is in it."""
TEXT_MARGIN = 9.0
BUTTON = 14.0
"""Side of the square that opens and closes a group."""


class Flow(StrEnum):
    """Which way the tensors go."""

    DOWN = "down"
    RIGHT = "right"


class Cancelled(Exception):  # noqa: N818 (no error: the answer is not wanted any more)
    """The work was given up."""


@dataclass(frozen=True, slots=True)
class Font:
    """How wide text gets, in pixels: measured where fonts can be measured, handed over as plain numbers."""

    height: float
    default: float
    """Width of a character that `widths` lacks."""
    widths: Mapping[str, float] = field(default_factory=dict)

    def width(self, text: str) -> float:
        return sum(self.widths.get(character, self.default) for character in text)


@dataclass(frozen=True, slots=True)
class Lettering:
    """The fonts of the picture."""

    title: Font = Font(15.0, 8.0)
    text: Font = Font(15.0, 7.0)
    label: Font = Font(12.0, 6.0)


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node lies, in pixels from the picture's top left corner."""

    key: str
    x: float
    y: float
    width: float
    height: float
    rank: int
    """Place along the flow within its parent."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One tensor: a line from the node that makes it to those that read it."""

    source: str
    targets: tuple[str, ...]
    shape: str
    curves: tuple[Curve, ...]
    """From (x, y) to (x, y), each leaving and arriving along the flow."""
    arrows: tuple[tuple[float, float], ...]
    """Tips of the arrow heads."""


@dataclass(frozen=True, slots=True)
class Label:
    """A tensor's shape, beside or on its line."""

    text: str
    x: float
    """Centre."""
    y: float
    width: float
    height: float
    parent: str
    """Key of the open group on whose ground it lies; empty at the top level."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything there is to draw."""

    flow: Flow
    width: float
    height: float
    boxes: tuple[Box, ...]
    """One for each node of the outline, open groups before what is in them."""
    wires: tuple[Wire, ...]
    labels: tuple[Label, ...]


def arrange(
    outline: Outline,
    lettering: Lettering | None = None,
    flow: Flow = Flow.DOWN,
    cancelled: Callable[[], bool] = lambda: False,
) -> Picture:
    """Returns the layout of an outline, level by level: an open group is laid out on its own, then placed as a node.

    Args:
        outline: what is on view.
        lettering: the fonts it will be drawn with.
        flow: which way the tensors go.
        cancelled: asked now and then, from the same thread.

    Raises:
        Cancelled: `cancelled` said so.
    """
    return _Arrangement(outline, lettering or Lettering(), flow, cancelled).picture()


class _Arrangement:
    """One call of `arrange`."""

    def __init__(self, outline: Outline, lettering: Lettering, flow: Flow, cancelled: Callable[[], bool]) -> None:
        self.outline, self.lettering, self.flow, self.cancelled = outline, lettering, flow, cancelled
        self.nodes = {node.key: node for node in outline.nodes}
        self.children: dict[str, list[str]] = defaultdict(list)
        for node in outline.nodes:
            self.children[node.parent].append(node.key)
        self.links: dict[str, dict[tuple[Tensor, str | None, str | None], None]] = defaultdict(dict)
        for edge in outline.edges:
            self._link(edge)
        self.levels: dict[str, Level] = {}
        self.sizes: dict[str, tuple[float, float]] = {}
        self.insets: dict[str, float] = {}
        """Of each open group: across, from its border to the level of its children."""
        self.boxes: dict[str, Box] = {}
        self.curves: dict[Tensor, list[Curve]] = defaultdict(list)
        self.arrows: dict[Tensor, list[tuple[float, float]]] = defaultdict(list)
        self.labels: list[Label] = []

    def picture(self) -> Picture:
        top = self._lay_out("")
        self._place("", 0.0, 0.0)
        targets: dict[Tensor, list[str]] = defaultdict(list)
        for edge in self.outline.edges:
            targets[(edge.source, edge.layer, edge.shape)].append(edge.target)
        width, height = self._turned(top.across, top.along)
        return Picture(
            flow=self.flow,
            width=width,
            height=height,
            boxes=tuple(self.boxes[node.key] for node in self.outline.nodes),
            wires=tuple(
                Wire(tensor[0], tuple(readers), tensor[2], tuple(self.curves[tensor]), tuple(self.arrows[tensor]))
                for tensor, readers in targets.items()
            ),
            labels=tuple(self.labels),
        )

    def _check(self) -> None:
        if self.cancelled():
            raise Cancelled

    def _turned(self, across: float, along: float) -> tuple[float, float]:
        """Changes (across, along) to (x, y); its own inverse."""
        return (across, along) if self.flow is Flow.DOWN else (along, across)

    def _around(self, key: str) -> tuple[str, ...]:
        """The open groups around a node and the node itself, from the outside."""
        path = [key]
        while parent := self.nodes[path[-1]].parent:
            path.append(parent)
        return tuple(reversed(path))

    def _link(self, edge: Edge) -> None:
        """Splits an edge into links: out of the groups around its source, across, into those around its target."""
        tensor = (edge.source, edge.layer, edge.shape)
        out, into = self._around(edge.source), self._around(edge.target)
        shared = 0
        while out[shared] == into[shared]:
            shared += 1
        self.links[out[shared - 1] if shared else ""][tensor, out[shared], into[shared]] = None
        for outer, inner in zip(out[shared:], out[shared + 1 :], strict=False):
            self.links[outer][tensor, inner, None] = None
        for outer, inner in zip(into[shared:], into[shared + 1 :], strict=False):
            self.links[outer][tensor, None, inner] = None

    def _lay_out(self, parent: str) -> Level:
        """Lays out the children of an open group, and before that what is in those that are open themselves."""
        keys = self.children[parent]
        numbers: dict[str | None, int | None] = {key: number for number, key in enumerate(keys)}
        numbers[None] = None
        level = lay_out_level(
            [self._item(self.nodes[key]) for key in keys],
            [Link(tensor, numbers[source], numbers[target]) for tensor, source, target in self.links[parent]],
            lambda tensor: self._turned(*self._label_size(tensor)),
            self._check,
            self._margins() if parent else (0.0, 0.0),
        )
        self.levels[parent] = level
        return level

    def _item(self, node: Node) -> Item:
        if not node.open:
            self.sizes[node.key] = self._node_size(node)
            return Item(*self._turned(*self.sizes[node.key]))
        level = self._lay_out(node.key)
        head, slack = self._head(), 0.0
        if self.flow is Flow.DOWN:
            slack = max(0.0, self._title_width(node) - level.across - 2 * PADDING)
            across, inset = level.across + 2 * PADDING + slack, PADDING + slack / 2
        else:
            across, inset = head + level.across + PADDING, head
        self.insets[node.key] = inset
        self.sizes[node.key] = self._turned(across, level.along)
        return Item(
            across,
            level.along,
            {tensor: inset + place - across / 2 for tensor, place in level.entries.items()},
            {tensor: inset + place - across / 2 for tensor, place in level.exits.items()},
        )

    def _head(self) -> float:
        """Height of an open group's title."""
        return self.lettering.title.height + 10.0

    def _margins(self) -> tuple[float, float]:
        """Along the flow, between an open group's borders and its children."""
        return (self._head(), PADDING / 2) if self.flow is Flow.DOWN else (PADDING / 2, PADDING / 2)

    def _title_width(self, node: Node) -> float:
        width = self.lettering.title.width(node.title)
        if node.type:
            width += self.lettering.text.width(f"  {node.type}")
        return width + 2 * TEXT_MARGIN + (BUTTON + 5.0 if node.group is not None else 0.0)

    def _node_size(self, node: Node) -> tuple[float, float]:
        indent = BUTTON + 5.0 if node.group is not None else 0.0
        width = max(self._title_width(node), self.lettering.text.width(node.detail) + 2 * TEXT_MARGIN + indent, 64.0)
        height = self.lettering.title.height + (self.lettering.text.height if node.detail else 0.0) + 10.0
        return width, height

    def _label_size(self, tensor: Tensor) -> tuple[float, float]:
        return self.lettering.label.width(tensor[2]) + 8.0, self.lettering.label.height + 2.0

    def _place(self, parent: str, across: float, along: float) -> None:
        """Moves a level's layout to its place in the picture, then those of its open groups."""
        level = self.levels[parent]
        for tensor, curves in level.curves.items():
            self.curves[tensor] += [
                (*self._turned(a1 + across, b1 + along), *self._turned(a2 + across, b2 + along))
                for a1, b1, a2, b2 in curves
            ]
        for tensor, tips in level.arrows.items():
            self.arrows[tensor] += [self._turned(a + across, b + along) for a, b in tips]
        for tensor, a, b in level.labels:
            self.labels.append(
                Label(tensor[2], *self._turned(a + across, b + along), *self._label_size(tensor), parent)
            )
        for key, (a, b), rank in zip(self.children[parent], level.places, level.ranks, strict=True):
            a, b = a + across, b + along
            self.boxes[key] = Box(key, *self._turned(a, b), *self.sizes[key], rank)
            if self.nodes[key].open:
                self._place(key, a + self.insets[key], b)
