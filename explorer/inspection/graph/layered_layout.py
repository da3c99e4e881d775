"""Lays out one level of the graph: its nodes in ranks along the flow, with their real sizes; no line crosses a node.

All coordinates are *across* and *along* the flow, in pixels.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from explorer.inspection.graph.layered_grid import Grid, Hop, Item, Link, Tensor, Vertex
from explorer.inspection.graph.spacing import settle

NODE_GAP = 22.0
LANE_GAP = 11.0
BARE_GAP = 14.0
"""Along the flow, between ranks without a label between them."""
_BEND_ROOM = 0.14
"""Along the flow, for each pixel that a line moves across."""
_MOST_BEND_ROOM = 60.0
_END_GAP = 16.0
"""Across, between lines that meet the same edge of a node."""

Curve = tuple[float, float, float, float]
"""From (across, along) to (across, along); it leaves and arrives along the flow."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Level:
    """Where everything of a level is, from its near corner at (0, 0)."""

    across: float
    along: float
    places: tuple[Point, ...]
    """Near corner of each item."""
    ranks: tuple[int, ...]
    curves: Mapping[Tensor, tuple[Curve, ...]]
    arrows: Mapping[Tensor, tuple[Point, ...]]
    """Tips, where a tensor enters a plain node."""
    labels: tuple[tuple[Tensor, float, float], ...]
    """Tensor and centre of its label."""
    entries: Mapping[Tensor, float]
    """Where tensors from outside cross the near edge, across."""
    exits: Mapping[Tensor, float]


def lay_out_level(
    items: Sequence[Item],
    links: Sequence[Link],
    label_size: Callable[[Tensor], tuple[float, float]],
    check: Callable[[], None],
    margins: tuple[float, float] = (0.0, 0.0),
) -> Level:
    """Returns the layout of one level.

    Args:
        items: the nodes.
        links: without cycles.
        label_size: extent of a tensor's label, across and along.
        check: called now and then; what it raises ends the work.
        margins: along the flow, before the first and after the last item; the lines from and to outside cross them.
    """
    grid = Grid(items, links, label_size)
    check()
    grid.order()
    check()
    straighten(grid)
    place_across(grid, check)
    spread_ends(grid)
    return _Geometry(grid, margins).level()


def straighten(grid: Grid) -> None:
    """Chooses the hops that run straight.

    Lanes come first, then the trunk: hops between two nodes that have no other neighbour on that side, skips aside.
    Two straight hops never cross, and a vertex has at most one on each side.
    """
    vertices = grid.vertices
    above: dict[int, set[int]] = defaultdict(set)
    below: dict[int, set[int]] = defaultdict(set)
    for hop in grid.hops:
        below[hop.upper].add(hop.lower)
        above[hop.lower].add(hop.upper)

    def alone(numbers: set[int]) -> bool:
        return len(numbers) == 1 or sum(vertices[n].branch or not vertices[n].lane for n in numbers) == 1

    def urgency(hop: Hop) -> int | None:
        upper, lower = vertices[hop.upper], vertices[hop.lower]
        if upper.lane and lower.lane:
            return 0
        if not upper.lane and not lower.lane:
            return 1 if alone(below[hop.upper]) and alone(above[hop.lower]) else None
        return 2 if len(below[hop.upper] if lower.lane else above[hop.lower]) == 1 else None

    place = {number: index for rank in grid.ranks for index, number in enumerate(rank)}
    taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
    left: set[int] = set()
    reached: set[int] = set()
    ranked = [(urgent, index) for index, hop in enumerate(grid.hops) if (urgent := urgency(hop)) is not None]
    for _, index in sorted(ranked):
        hop = grid.hops[index]
        if hop.upper in left or hop.lower in reached:
            continue
        pairs = taken[vertices[hop.upper].rank]
        pair = (place[hop.upper], place[hop.lower])
        at = bisect_left(pairs, pair)
        if (at and pairs[at - 1][1] > pair[1]) or (at < len(pairs) and pairs[at][1] < pair[1]):
            continue
        insort(pairs, pair)
        left.add(hop.upper)
        reached.add(hop.lower)
        hop.straight = True


def place_across(grid: Grid, check: Callable[[], None]) -> None:
    """Gives each vertex its place across. What straight hops join is one block and moves as one."""
    block, shift = _blocks(grid)
    count = 1 + max(block, default=-1)
    apart: dict[tuple[int, int], float] = {}
    for rank in grid.ranks:
        for left, right in pairwise(rank):
            a, b = grid.vertices[left], grid.vertices[right]
            gap = LANE_GAP if a.item is None and b.item is None else NODE_GAP
            least = (a.across + b.across) / 2 + gap + shift[left] - shift[right]
            pair = (block[left], block[right])
            apart[pair] = max(least, apart.get(pair, least))
    lanes = [True] * count
    for number, vertex in enumerate(grid.vertices):
        lanes[block[number]] &= vertex.lane
    pulls: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for hop in grid.hops:
        a_block, b_block = block[hop.upper], block[hop.lower]
        if a_block != b_block:
            away = shift[hop.lower] + hop.entry - shift[hop.upper] - hop.exit
            pulls[a_block].append((b_block, away))
            pulls[b_block].append((a_block, -away))
    for number, wanted in enumerate(pulls):
        # A lane follows the trunk; the trunk does not lean towards its lanes.
        pulls[number] = [pull for pull in wanted if not lanes[pull[0]]] or wanted
    places = settle(count, apart, pulls, check)
    for number, vertex in enumerate(grid.vertices):
        vertex.x = places[block[number]] + shift[number]
    near = min((vertex.x - vertex.across / 2 for vertex in grid.vertices), default=0.0)
    for vertex in grid.vertices:
        vertex.x -= near


def _blocks(grid: Grid) -> tuple[list[int], list[float]]:
    """For each vertex the block that it belongs to, and how far across it lies from the block's place."""
    block, shift = [-1] * len(grid.vertices), [0.0] * len(grid.vertices)
    straight = {hop.upper: hop for hop in grid.hops if hop.straight}
    count = 0
    for rank in grid.ranks:
        for number in rank:
            if block[number] < 0:
                block[number], count = count, count + 1
            if number in straight:
                hop = straight[number]
                block[hop.lower], shift[hop.lower] = block[number], shift[number] + hop.exit - hop.entry
    return block, shift


@dataclass(slots=True)
class _End:
    """Where hops of one tensor meet a plain node."""

    towards: float
    """Place across of their other ends."""
    hops: list[Hop]

    @property
    def straight(self) -> bool:
        return any(hop.straight for hop in self.hops)


def spread_ends(grid: Grid) -> None:
    """Lets the lines that share an edge of a plain node meet it side by side, in the order they come from."""
    arriving: dict[int, list[_End]] = defaultdict(list)
    leaving: dict[tuple[int, Tensor], list[Hop]] = defaultdict(list)
    for hop in grid.hops:
        lower, upper = grid.vertices[hop.lower].item, grid.vertices[hop.upper].item
        if lower is not None and hop.tensor not in grid.items[lower].entries:
            arriving[hop.lower].append(_End(grid.start(hop), [hop]))
        if upper is not None and hop.tensor not in grid.items[upper].exits:
            leaving[hop.upper, hop.tensor].append(hop)
    departing: dict[int, list[_End]] = defaultdict(list)
    for (number, _), hops in leaving.items():
        departing[number].append(_End(sum(map(grid.end, hops)) / len(hops), hops))
    for number, ends in arriving.items():
        for end, offset in _offsets(grid.vertices[number], grid.items, ends):
            end.hops[0].entry = offset
    for number, ends in departing.items():
        for end, offset in _offsets(grid.vertices[number], grid.items, ends):
            for hop in end.hops:
                hop.exit = offset


def _offsets(vertex: Vertex, items: Sequence[Item], ends: list[_End]) -> list[tuple[_End, float]]:
    """Where each end goes, across from the node's centre; a straight line keeps the centre."""
    assert vertex.item is not None
    ends = sorted(ends, key=lambda end: end.towards)
    middle = next((float(index) for index, end in enumerate(ends) if end.straight), (len(ends) - 1) / 2)
    most = max(middle, len(ends) - 1 - middle)
    step = min(_END_GAP, (items[vertex.item].across / 2 - 8.0) / most) if most else 0.0
    return [(end, (index - middle) * step) for index, end in enumerate(ends)]


class _GapLabels:
    """The labels between two ranks: rows that begin after the one, and rows that end before the other."""

    def __init__(self) -> None:
        self.labels: list[tuple[Tensor, float, int, bool]] = []
        """Tensor, centre across, row, whether the row counts from the far side."""
        self.row_along = 0.0
        self._filled: dict[bool, list[float]] = {False: [], True: []}

    def add(self, tensor: Tensor, x: float, far: bool, size: tuple[float, float]) -> None:
        """Puts a label in the first row with room; labels come sorted by `x`."""
        filled = self._filled[far]
        row = next((number for number, end in enumerate(filled) if end + 4.0 <= x - size[0] / 2), len(filled))
        if row == len(filled):
            filled.append(0.0)
        filled[row] = x + size[0] / 2
        self.row_along = max(self.row_along, size[1] + 2.0)
        self.labels.append((tensor, x, row, far))

    @property
    def along(self) -> float:
        """Room that the rows take."""
        return self.row_along * sum(map(len, self._filled.values()))


class _Geometry:
    """Turns the places in a grid into coordinates, curves and labels."""

    def __init__(self, grid: Grid, margins: tuple[float, float]) -> None:
        self.grid = grid
        self.depth = [max((grid.vertices[number].along for number in rank), default=0.0) for rank in grid.ranks]
        """Extent of each rank along the flow."""
        self.depth[0], self.depth[-1] = margins
        self.gaps = self._labels_in_gaps()
        self.near = self._ranks_along()
        """Where each rank begins."""

    def level(self) -> Level:
        """Everything, ready to draw."""
        grid, near, depth = self.grid, self.near, self.depth
        curves, arrows = self._curves()
        return Level(
            across=max((vertex.x + vertex.across / 2 for vertex in grid.vertices), default=0.0),
            along=near[-1] + depth[-1],
            places=tuple(
                (vertex.x - item.across / 2, near[vertex.rank] + (depth[vertex.rank] - item.along) / 2)
                for vertex, item in zip(grid.vertices, grid.items, strict=False)
            ),
            ranks=tuple(vertex.rank for vertex in grid.vertices[: len(grid.items)]),
            curves=curves,
            arrows=arrows,
            labels=tuple(self._labels()),
            entries={tensor: grid.vertices[number].x for tensor, number in grid.entries.items()},
            exits={tensor: grid.vertices[number].x for tensor, number in grid.exits.items()},
        )

    def _ranks_along(self) -> list[float]:
        grid = self.grid
        bend = [0.0] * len(grid.ranks)
        for hop in grid.hops:
            rank = grid.vertices[hop.upper].rank
            bend[rank] = max(bend[rank], abs(grid.end(hop) - grid.start(hop)))
        near = [0.0] * len(grid.ranks)
        for rank in range(1, len(grid.ranks)):
            labels = self.gaps[rank - 1]
            gap = BARE_GAP + (labels.along + 6.0 if labels.labels else 0.0)
            if (rank == 1 and not grid.entries) or (rank == grid.last and not grid.exits):
                gap = 0.0
            gap += min(_MOST_BEND_ROOM, _BEND_ROOM * bend[rank - 1])
            near[rank] = near[rank - 1] + self.depth[rank - 1] + gap
        return near

    def _labels(self) -> Iterator[tuple[Tensor, float, float]]:
        for rank, gap in enumerate(self.gaps):
            for tensor, x, row, far in gap.labels:
                off = (row + 0.5) * gap.row_along
                yield (
                    tensor,
                    x,
                    self.near[rank + 1] - 8.0 - off if far else self.near[rank] + self.depth[rank] + 5.0 + off,
                )
        for vertex in self.grid.vertices:
            if vertex.label is not None:
                yield vertex.label, vertex.x, self.near[vertex.rank] + self.depth[vertex.rank] / 2

    def _labels_in_gaps(self) -> list[_GapLabels]:
        """For the gap after each rank the labels that lie in it, in rows where they would overlap."""
        grid = self.grid
        first: dict[tuple[int, Tensor], Hop] = {}
        for hop in grid.hops:
            if (hop.upper, hop.tensor) in grid.in_gaps:
                first.setdefault((hop.upper, hop.tensor), hop)
        gaps = [_GapLabels() for _ in grid.ranks]
        places = [
            (grid.end(hop) if grid.in_gaps[place] else grid.start(hop), grid.in_gaps[place], hop)
            for place, hop in first.items()
        ]
        for x, far, hop in sorted(places, key=lambda entry: entry[0]):
            gaps[grid.vertices[hop.upper].rank].add(hop.tensor, x, far, grid.label_size(hop.tensor))
        return gaps

    def _curves(self) -> tuple[dict[Tensor, tuple[Curve, ...]], dict[Tensor, tuple[Point, ...]]]:
        """Each tensor's pieces: bends between the ranks, straight lines through them."""
        grid, near, depth = self.grid, self.near, self.depth
        bends: dict[Tensor, list[Curve]] = defaultdict(list)
        lines: dict[Tensor, dict[float, set[tuple[float, float]]]] = defaultdict(lambda: defaultdict(set))
        arrows: dict[Tensor, list[Point]] = defaultdict(list)
        for hop in grid.hops:
            upper, lower = grid.vertices[hop.upper], grid.vertices[hop.lower]
            x1, x2 = grid.start(hop), grid.end(hop)
            leave, enter = near[upper.rank] + depth[upper.rank], near[lower.rank]
            begin = near[upper.rank] if upper.item is None else leave - (depth[upper.rank] - upper.along) / 2
            end = enter + (depth[lower.rank] if lower.item is None else (depth[lower.rank] - lower.along) / 2)
            if abs(x1 - x2) < 0.5:
                lines[hop.tensor][x1].add((begin, end))
            else:
                lines[hop.tensor][x1].add((begin, leave))
                bends[hop.tensor].append((x1, leave, x2, enter))
                lines[hop.tensor][x2].add((enter, end))
            if lower.item is not None and hop.tensor not in grid.items[lower.item].entries:
                arrows[hop.tensor].append((x2, end))
        curves = {}
        for tensor, straight in lines.items():
            pieces = bends[tensor]
            for x, spans in straight.items():
                pieces += [(x, begin, x, end) for begin, end in _merged(spans)]
            curves[tensor] = tuple(pieces)
        return curves, {tensor: tuple(tips) for tensor, tips in arrows.items()}


def _merged(spans: set[tuple[float, float]]) -> list[tuple[float, float]]:
    """Joins spans that touch, and drops empty ones."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1] + 0.01:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return [span for span in merged if span[1] - span[0] > 0.01]
