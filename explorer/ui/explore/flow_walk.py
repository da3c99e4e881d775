"""Where the arrow keys lead from a node: along its lines, or to a node beside it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from explorer.inspection.graph.layout import Box, Flow, Picture
from explorer.inspection.graph.outline import Outline


class Towards(Enum):
    """A direction on screen: x, y."""

    UP = (0, -1)
    DOWN = (0, 1)
    LEFT = (-1, 0)
    RIGHT = (1, 0)


def step(outline: Outline, picture: Picture, key: str, towards: Towards) -> str | None:
    """Returns the key of the node that one press of an arrow key leads to, None where there is none.

    With the flow lead the readers of what the node makes, against it the makers of what it reads; across it the nodes
    of the same rank and group. Of several the nearest is chosen.
    """
    boxes = {box.key: box for box in picture.boxes}
    nodes = {node.key: node for node in outline.nodes}
    here = boxes[key]
    across, along = towards.value if picture.flow is Flow.DOWN else reversed(towards.value)
    if along > 0 and nodes[key].open:
        found = [node.key for node in outline.nodes if node.parent == key][:1]
    elif along > 0:
        found = [edge.target for edge in outline.edges if edge.source == key]
    elif along < 0:
        found = [edge.source for edge in outline.edges if edge.target == key]
    else:
        found = [
            box.key
            for box in picture.boxes
            if box.rank == here.rank
            and nodes[box.key].parent == nodes[key].parent
            and (_across(box, picture.flow) - _across(here, picture.flow)) * across > 0
        ]
    return nearest((boxes[other] for other in found), here.x + here.width / 2, here.y + here.height / 2)


def nearest(boxes: Iterable[Box], x: float, y: float) -> str | None:
    """Returns the key of the box whose centre is nearest to a place, None for no boxes."""

    def distance(box: Box) -> float:
        return (box.x + box.width / 2 - x) ** 2 + (box.y + box.height / 2 - y) ** 2

    return min(found, key=distance).key if (found := list(boxes)) else None


def _across(box: Box, flow: Flow) -> float:
    return box.x if flow is Flow.DOWN else box.y
