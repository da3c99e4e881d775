"""Places the nodes of one level in layers along the flow; nodes have real sizes, no line crosses a node.

Layers and the order within them follow Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", 1981. All coordinates are *across* and *along* the flow. A tensor that several nodes read is one
line with branches: it runs in a lane of its own past the nodes in between.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

NODE_GAP = 22.0
LANE_GAP = 11.0
BARE_GAP = 14.0
"""Along the flow, between ranks without a label between them."""
_BEND_ROOM = 0.14
"""Along the flow, for each pixel that a line moves across."""
_MOST_BEND_ROOM = 60.0
_MOST_LABELLED_LANES = 5
"""Where more lanes than this run side by side, labels on them would push them apart too far."""
_SWEEPS = 40

Tensor = tuple[str, int, str]
"""What runs along a line: key of the node that makes it, index of the layer that does, its shape as text."""
Curve = tuple[float, float, float, float]
"""From (across, along) to (across, along); it leaves and arrives along the flow."""


@dataclass(frozen=True, slots=True)
class Item:
    """A node to place."""

    across: float
    along: float
    entries: Mapping[Tensor, float] = field(default_factory=dict)
    """Where tensors enter an open group, across from its centre; a plain node has none: they enter where it suits."""
    exits: Mapping[Tensor, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor on its way between two items, or between an item and the world outside of the level."""

    tensor: Tensor
    source: int | None
    """Number of an item; None: the tensor comes from outside."""
    target: int | None
    """Number of an item; None: the tensor goes outside."""


@dataclass(frozen=True, slots=True)
class Level:
    """Where everything of a level is, from its near corner at (0, 0)."""

    across: float
    along: float
    places: tuple[tuple[float, float], ...]
    """Near corner of each item."""
    ranks: tuple[int, ...]
    curves: Mapping[Tensor, tuple[Curve, ...]]
    arrows: Mapping[Tensor, tuple[tuple[float, float], ...]]
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
    grid = _Grid(items, links, label_size)
    check()
    grid.order()
    check()
    grid.align()
    grid.place_across(check)
    return grid.level(margins)


@dataclass(slots=True)
class _Vertex:
    """An item, a place where a tensor enters or leaves the level, or a piece of a lane."""

    rank: int
    across: float = 0.0
    along: float = 0.0
    item: int | None = None
    lane: bool = False
    label: Tensor | None = None
    """The tensor whose label sits on this piece of its lane."""
    block: int = -1
    shift: float = 0.0
    """Across, from the block's place."""
    x: float = 0.0


@dataclass(slots=True)
class _Hop:
    """A tensor's way from one rank to the next."""

    tensor: Tensor
    upper: int
    lower: int
    exit: float
    """Across from the upper vertex's centre."""
    entry: float
    straight: bool = False


class _Grid:
    """The work on one level, step by step."""

    def __init__(
        self, items: Sequence[Item], links: Sequence[Link], label_size: Callable[[Tensor], tuple[float, float]]
    ) -> None:
        self.items, self.links, self.label_size = items, links, label_size
        self.labelled = dict.fromkeys(
            (link.source, link.tensor) for link in links if link.source is not None and link.target is not None
        )
        """Tensors that go from item to item in this level: their label is due here."""
        ranks = _ranks(items, links)
        self.vertices = [
            _Vertex(rank, item.across, item.along, number)
            for number, (item, rank) in enumerate(zip(items, ranks, strict=True))
        ]
        for source, tensor in self.labelled:
            assert source is not None
            vertex = self.vertices[source]
            vertex.across = max(vertex.across, label_size(tensor)[0])
        self.last = max(ranks, default=0) + 1
        self.entries: dict[Tensor, int] = {}
        self.exits: dict[Tensor, int] = {}
        for link in links:
            if link.source is None and link.tensor not in self.entries:
                self.entries[link.tensor] = self._new(_Vertex(0))
            if link.target is None and link.tensor not in self.exits:
                self.exits[link.tensor] = self._new(_Vertex(self.last))
        self.hops: list[_Hop] = []
        self.lanes: list[list[int]] = []
        """Vertices of each lane, along the flow."""
        self._run_lanes()
        self.ranks: list[list[int]] = []

    def _new(self, vertex: _Vertex) -> int:
        self.vertices.append(vertex)
        return len(self.vertices) - 1

    def _run_lanes(self) -> None:
        """Gives each tensor one lane from its source to its last reader, and hops between neighbouring ranks."""
        ends: dict[Tensor, int] = {}
        readers: dict[tuple[int, Tensor], list[int]] = defaultdict(list)
        for link in self.links:
            source = self.entries[link.tensor] if link.source is None else link.source
            readers[source, link.tensor].append(self.exits[link.tensor] if link.target is None else link.target)
        for (source, tensor), targets in readers.items():
            targets.sort(key=lambda target: self.vertices[target].rank)
            at = source
            lane: list[int] = []
            for target in targets:
                while self.vertices[at].rank < self.vertices[target].rank - 1:
                    piece = self._new(_Vertex(self.vertices[at].rank + 1, lane=True))
                    self._hop(tensor, at, piece)
                    lane.append(piece)
                    at = piece
                self._hop(tensor, at, target)
            if lane:
                self.lanes.append(lane)
                # The label at the source is far from where a skip or a tensor from outside arrives.
                if len(lane) > 1 and (len(targets) > 1 or (source, tensor) not in self.labelled):
                    ends[tensor] = at
        most = max(Counter(self.vertices[piece].rank for lane in self.lanes for piece in lane).values(), default=0)
        if most <= _MOST_LABELLED_LANES:
            for tensor, piece in ends.items():
                self.vertices[piece].label = tensor
                self.vertices[piece].across = self.label_size(tensor)[0]

    def _hop(self, tensor: Tensor, upper: int, lower: int) -> None:
        above, below = self.vertices[upper], self.vertices[lower]
        leave = self.items[above.item].exits.get(tensor, 0.0) if above.item is not None else 0.0
        enter = self.items[below.item].entries.get(tensor, 0.0) if below.item is not None else 0.0
        self.hops.append(_Hop(tensor, upper, lower, leave, enter))

    def order(self) -> None:
        """Orders the vertices of each rank.

        A lane that passes a rank where one node stands alone is a skip around the trunk: these run outside of all
        else, those that end first closest. igraph's barycentre heuristic finds an order with few crossings for the
        rest.
        """
        from igraph import Graph

        alone = [0] * (self.last + 1)
        for vertex in self.vertices:
            alone[vertex.rank] += not vertex.lane
        skips = {
            number for lane in self.lanes if any(alone[self.vertices[n].rank] == 1 for n in lane) for number in lane
        }
        rest = [number for number in range(len(self.vertices)) if number not in skips]
        place = {number: index for index, number in enumerate(rest)}
        graph = Graph(
            len(rest),
            [(place[hop.upper], place[hop.lower]) for hop in self.hops if hop.upper in place and hop.lower in place],
            directed=True,
        )
        # Every hop spans one rank: igraph adds no dummies of its own and answers with one place per vertex.
        layout = graph.layout_sugiyama(layers=[self.vertices[number].rank for number in rest], maxiter=40)
        self.ranks = [[] for _ in range(self.last + 1)]
        for number in rest:
            self.ranks[self.vertices[number].rank].append(number)
        for rank in self.ranks:
            rank.sort(key=lambda number: layout[place[number]][0])
        for lane in sorted(self.lanes, key=lambda lane: (self.vertices[lane[-1]].rank, -self.vertices[lane[0]].rank)):
            for number in lane:
                if number in skips:
                    self.ranks[self.vertices[number].rank].append(number)

    def align(self) -> None:
        """Chooses the hops that run straight, and makes one block of the vertices along each straight line.

        Lanes come first, then the trunk: hops between two nodes that have no other neighbour on that side, lanes
        aside. Two straight hops never cross.
        """
        above: dict[int, list[int]] = defaultdict(list)
        below: dict[int, list[int]] = defaultdict(list)
        for hop in self.hops:
            below[hop.upper].append(hop.lower)
            above[hop.lower].append(hop.upper)

        def alone(numbers: list[int]) -> bool:
            return len(set(numbers)) == 1 or sum(not self.vertices[number].lane for number in set(numbers)) == 1

        def urgency(hop: _Hop) -> int | None:
            upper, lower = self.vertices[hop.upper], self.vertices[hop.lower]
            if upper.lane and lower.lane:
                return 0
            if not upper.lane and not lower.lane:
                return 1 if alone(below[hop.upper]) and alone(above[hop.lower]) else None
            one = len(set(below[hop.upper])) == 1 if lower.lane else len(set(above[hop.lower])) == 1
            return 2 if one else None

        place = {number: index for rank in self.ranks for index, number in enumerate(rank)}
        taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
        straight_down: set[int] = set()
        straight_up: set[int] = set()
        ranked = [(urgent, index) for index, hop in enumerate(self.hops) if (urgent := urgency(hop)) is not None]
        for _, index in sorted(ranked):
            hop = self.hops[index]
            if hop.upper in straight_down or hop.lower in straight_up:
                continue
            pairs = taken[self.vertices[hop.upper].rank]
            pair = (place[hop.upper], place[hop.lower])
            at = bisect_left(pairs, pair)
            if (at and pairs[at - 1][1] > pair[1]) or (at < len(pairs) and pairs[at][1] < pair[1]):
                continue
            insort(pairs, pair)
            straight_down.add(hop.upper)
            straight_up.add(hop.lower)
            hop.straight = True
        follow = {hop.upper: hop for hop in self.hops if hop.straight}
        blocks = 0
        for rank in self.ranks:
            for number in rank:
                vertex = self.vertices[number]
                if vertex.block < 0:
                    vertex.block, blocks = blocks, blocks + 1
                if number in follow:
                    hop = follow[number]
                    lower = self.vertices[hop.lower]
                    lower.block, lower.shift = vertex.block, vertex.shift + hop.exit - hop.entry

    def place_across(self, check: Callable[[], None]) -> None:
        """Finds a place across for each block: near its neighbours, with its distance to those beside it."""
        count = 1 + max((vertex.block for vertex in self.vertices), default=-1)
        apart: dict[tuple[int, int], float] = {}
        for rank in self.ranks:
            for left, right in pairwise(rank):
                a, b = self.vertices[left], self.vertices[right]
                gap = LANE_GAP if _slim(a) and _slim(b) else NODE_GAP
                least = (a.across + b.across) / 2 + gap + a.shift - b.shift
                apart[a.block, b.block] = max(least, apart.get((a.block, b.block), least))
        lane_only = [True] * count
        for vertex in self.vertices:
            lane_only[vertex.block] &= vertex.lane
        pulls: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        for hop in self.hops:
            a, b = self.vertices[hop.upper], self.vertices[hop.lower]
            if a.block != b.block:
                away = b.shift + hop.entry - a.shift - hop.exit
                pulls[a.block].append((b.block, away))
                pulls[b.block].append((a.block, -away))
        for block, wanted in enumerate(pulls):
            # A lane follows the trunk; the trunk does not lean towards its lanes.
            firm = [pull for pull in wanted if not lane_only[pull[0]]]
            if firm:
                pulls[block] = firm
        place = _relax(count, apart, pulls, check)
        for vertex in self.vertices:
            vertex.x = place[vertex.block] + vertex.shift
        near = min((vertex.x - vertex.across / 2 for vertex in self.vertices), default=0.0)
        for vertex in self.vertices:
            vertex.x -= near

    def level(self, margins: tuple[float, float]) -> Level:
        """Turns ranks and places into coordinates, curves and labels."""
        self._spread_ends()
        depth = [max((self.vertices[number].along for number in rank), default=0.0) for rank in self.ranks]
        depth[0], depth[-1] = margins
        bend = [0.0] * len(self.ranks)
        for hop in self.hops:
            rank, move = self.vertices[hop.upper].rank, abs(self._end(hop) - self._start(hop))
            bend[rank] = max(bend[rank], move)
        rows = self._label_rows()
        near = [0.0] * len(self.ranks)  # where a rank begins
        row_along = [max((self.label_size(tensor)[1] for tensor, _, _ in row), default=0.0) for row in rows]
        for rank in range(1, len(self.ranks)):
            used = 1 + max((number for _, _, number in rows[rank - 1]), default=-1)
            gap = BARE_GAP + used * (row_along[rank - 1] + 2.0) + (6.0 if used else 0.0)
            if (rank == 1 and not self.entries) or (rank == self.last and not self.exits):
                gap = 0.0
            near[rank] = near[rank - 1] + depth[rank - 1] + gap + min(_MOST_BEND_ROOM, _BEND_ROOM * bend[rank - 1])
        labels: list[tuple[Tensor, float, float]] = []
        for rank, row in enumerate(rows):
            for tensor, x, number in row:
                along = near[rank] + depth[rank] + 5.0 + (number + 0.5) * (row_along[rank] + 2.0)
                labels.append((tensor, x, along))
        labels += [
            (vertex.label, vertex.x, near[vertex.rank] + depth[vertex.rank] / 2)
            for vertex in self.vertices
            if vertex.label is not None
        ]
        curves, arrows = self._curves(near, depth)
        return Level(
            across=max((vertex.x + vertex.across / 2 for vertex in self.vertices), default=0.0),
            along=near[-1] + depth[-1],
            places=tuple(
                (vertex.x - item.across / 2, near[vertex.rank] + (depth[vertex.rank] - item.along) / 2)
                for vertex, item in zip(self.vertices, self.items, strict=False)
            ),
            ranks=tuple(vertex.rank for vertex in self.vertices[: len(self.items)]),
            curves=curves,
            arrows=arrows,
            labels=tuple(labels),
            entries={tensor: self.vertices[number].x for tensor, number in self.entries.items()},
            exits={tensor: self.vertices[number].x for tensor, number in self.exits.items()},
        )

    def _start(self, hop: _Hop) -> float:
        return self.vertices[hop.upper].x + hop.exit

    def _end(self, hop: _Hop) -> float:
        return self.vertices[hop.lower].x + hop.entry

    def _spread_ends(self) -> None:
        """Lets the lines that share an edge of a plain node meet it side by side, in the order they come from."""
        arriving: dict[int, list[tuple[float, bool, list[_Hop]]]] = defaultdict(list)
        leaving: dict[int, dict[Tensor, list[_Hop]]] = defaultdict(lambda: defaultdict(list))
        for hop in self.hops:
            lower, upper = self.vertices[hop.lower], self.vertices[hop.upper]
            if lower.item is not None and hop.tensor not in self.items[lower.item].entries:
                arriving[hop.lower].append((self._start(hop), hop.straight, [hop]))
            if upper.item is not None and hop.tensor not in self.items[upper.item].exits:
                leaving[hop.upper][hop.tensor].append(hop)
        for number, ends in arriving.items():
            for offset, hops in self._spread(number, ends):
                for hop in hops:
                    hop.entry = offset
        for number, tensors in leaving.items():
            outs = [
                (sum(map(self._end, hops)) / len(hops), any(hop.straight for hop in hops), hops)
                for hops in tensors.values()
            ]
            for offset, hops in self._spread(number, outs):
                for hop in hops:
                    hop.exit = offset

    def _spread(self, number: int, ends: list[tuple[float, bool, list[_Hop]]]) -> list[tuple[float, list[_Hop]]]:
        vertex = self.vertices[number]
        assert vertex.item is not None
        room = self.items[vertex.item].across / 2 - 8.0
        ends.sort(key=lambda end: end[0])
        straight = next((index for index, end in enumerate(ends) if end[1]), None)
        if straight is not None:
            middle = float(straight)
        elif len(ends) == 1:
            return [(0.0, ends[0][2])]
        else:
            middle = (len(ends) - 1) / 2
        most = max(middle, len(ends) - 1 - middle)
        step = min(16.0, room / most) if most else 0.0
        return [((index - middle) * step, hops) for index, (_, _, hops) in enumerate(ends)]

    def _label_rows(self) -> list[list[tuple[Tensor, float, int]]]:
        """For the gap after each rank the labels of the tensors made there: tensor, centre across, row."""
        exits: dict[tuple[int, Tensor], float] = {}
        for hop in self.hops:
            if (hop.upper, hop.tensor) in self.labelled:
                exits[hop.upper, hop.tensor] = self._start(hop)
        gaps: list[list[tuple[Tensor, float, int]]] = [[] for _ in self.ranks]
        ends: list[list[float]] = [[] for _ in self.ranks]
        for (source, tensor), x in sorted(exits.items(), key=lambda entry: entry[1]):
            rank, width = self.vertices[source].rank, self.label_size(tensor)[0]
            filled = ends[rank]
            row = next((number for number, end in enumerate(filled) if end + 4.0 <= x - width / 2), len(filled))
            if row == len(filled):
                filled.append(0.0)
            filled[row] = x + width / 2
            gaps[rank].append((tensor, x, row))
        return gaps

    def _curves(
        self, near: list[float], depth: list[float]
    ) -> tuple[dict[Tensor, tuple[Curve, ...]], dict[Tensor, tuple[tuple[float, float], ...]]]:
        """Each tensor's pieces: bends between the ranks, straight lines through them."""
        bends: dict[Tensor, list[Curve]] = defaultdict(list)
        lines: dict[Tensor, dict[float, set[tuple[float, float]]]] = defaultdict(lambda: defaultdict(set))
        arrows: dict[Tensor, list[tuple[float, float]]] = defaultdict(list)
        for hop in self.hops:
            upper, lower = self.vertices[hop.upper], self.vertices[hop.lower]
            x1, x2 = self._start(hop), self._end(hop)
            leave, enter = near[upper.rank] + depth[upper.rank], near[lower.rank]
            begin = near[upper.rank] if upper.item is None else leave - (depth[upper.rank] - upper.along) / 2
            end = enter + (depth[lower.rank] if lower.item is None else (depth[lower.rank] - lower.along) / 2)
            if abs(x1 - x2) < 0.5:
                lines[hop.tensor][x1].add((begin, end))
            else:
                lines[hop.tensor][x1].add((begin, leave))
                bends[hop.tensor].append((x1, leave, x2, enter))
                lines[hop.tensor][x2].add((enter, end))
            if lower.item is not None and hop.tensor not in self.items[lower.item].entries:
                arrows[hop.tensor].append((x2, end))
        curves = {}
        for tensor, straight in lines.items():
            pieces = bends[tensor]
            for x, spans in straight.items():
                pieces += [(x, begin, x, end) for begin, end in _merged(spans)]
            curves[tensor] = tuple(pieces)
        return curves, {tensor: tuple(tips) for tensor, tips in arrows.items()}


def _slim(vertex: _Vertex) -> bool:
    return vertex.item is None


def _ranks(items: Sequence[Item], links: Sequence[Link]) -> list[int]:
    """The rank of each item, from 1: one past the last that feeds it; a constant stays close to its first reader."""
    below: dict[int, list[int]] = defaultdict(list)
    waiting = [0] * len(items)
    for source, target in {
        (link.source, link.target) for link in links if link.source is not None and link.target is not None
    }:
        below[source].append(target)
        waiting[target] += 1
    fed = {link.target for link in links}
    ranks = [1] * len(items)
    ready = [number for number, count in enumerate(waiting) if not count]
    for number in ready:  # grows while it is walked
        for reader in below[number]:
            ranks[reader] = max(ranks[reader], ranks[number] + 1)
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    for number in range(len(items)):
        if number not in fed and below[number]:
            ranks[number] = min(ranks[reader] for reader in below[number]) - 1
    return ranks


def _merged(spans: set[tuple[float, float]]) -> list[tuple[float, float]]:
    """Joins spans that touch, and drops empty ones."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1] + 0.01:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return [span for span in merged if span[1] - span[0] > 0.01]


def _relax(
    count: int,
    apart: Mapping[tuple[int, int], float],
    pulls: Sequence[Sequence[tuple[int, float]]],
    check: Callable[[], None],
) -> list[float]:
    """Returns places for blocks: each as near as can be to the mean of where its neighbours want it.

    Args:
        count: number of blocks.
        apart: least distance from the first block of a pair to the second, which lies right of it.
        pulls: for each block its neighbours, and how far from the neighbour's place it wants to be on the left.
        check: called once a sweep.
    """
    right_of: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    left_of: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    waiting = [0] * count
    for (left, right), least in apart.items():
        right_of[left].append((right, least))
        left_of[right].append((left, least))
        waiting[right] += 1
    order = [block for block in range(count) if not waiting[block]]
    place = [0.0] * count
    for block in order:  # grows while it is walked
        for other, least in right_of[block]:
            place[other] = max(place[other], place[block] + least)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)

    def wish(block: int) -> float:
        return sum(place[other] + away for other, away in pulls[block]) / len(pulls[block]) - place[block]

    for sweep in range(_SWEEPS):
        check()
        moved = 0.0
        for block in order if sweep % 2 else reversed(order):
            if not pulls[block]:
                continue
            low = max((place[other] + least for other, least in left_of[block]), default=-1e9)
            high = min((place[other] - least for other, least in right_of[block]), default=1e9)
            new = max(low, min(high, place[block] + wish(block)))
            moved = max(moved, abs(new - place[block]))
            place[block] = new
        # Blocks that touch hold each other up: they move together where most of them want to.
        for cluster in _clusters(count, apart, place):
            inside = set(cluster)
            wishes = [
                place[other] + away - place[block]
                for block in cluster
                for other, away in pulls[block]
                if other not in inside
            ]
            if not wishes:
                continue
            step = sum(wishes) / len(wishes)
            for block in cluster:
                for other, least in right_of[block] if step > 0 else left_of[block]:
                    if other not in inside:
                        slack = abs(place[other] - place[block]) - least
                        step = min(step, slack) if step > 0 else max(step, -slack)
            for block in cluster:
                place[block] += step
            moved = max(moved, abs(step))
        if moved < 0.2:
            break
    return place


def _clusters(count: int, apart: Mapping[tuple[int, int], float], place: Sequence[float]) -> list[list[int]]:
    """Groups of two or more blocks that touch."""
    leader = list(range(count))

    def find(block: int) -> int:
        while leader[block] != block:
            leader[block] = leader[leader[block]]
            block = leader[block]
        return block

    for (left, right), least in apart.items():
        if place[right] - place[left] - least < 0.01:
            leader[find(left)] = find(right)
    groups: dict[int, list[int]] = defaultdict(list)
    for block in range(count):
        groups[find(block)].append(block)
    return [group for group in groups.values() if len(group) > 1]
