"""The vertices of one level in ranks along the flow and in an order across it.

Ranks and order follow Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", 1981. A tensor that several nodes read is one line with branches: it runs in a lane of its own past the
nodes in between, one vertex a rank, so that every hop leads to the next rank.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_MOST_LABELLED_LANES = 5
"""Where more lanes than this run side by side, labels on them would push them apart too far."""

Tensor = tuple[str, int, str]
"""What runs along a line: key of the node that makes it, index of the layer that does, its shape as text."""


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


@dataclass(slots=True)
class Vertex:
    """An item, a place where a tensor enters or leaves the level, or a piece of a lane."""

    rank: int
    across: float = 0.0
    along: float = 0.0
    item: int | None = None
    lane: bool = False
    """Whether what passes here is no part of the trunk."""
    branch: bool = False
    """Whether it is a lane that goes on where a branch of the flow ended, rather than a skip past the trunk."""
    label: Tensor | None = None
    """The tensor whose label sits on this piece of its lane."""
    x: float = 0.0
    """Centre, across."""


@dataclass(slots=True)
class Hop:
    """A tensor's way from one rank to the next."""

    tensor: Tensor
    upper: int
    lower: int
    exit: float
    """Across from the upper vertex's centre."""
    entry: float
    straight: bool = False


class Grid:
    """The vertices of a level, and the hops between them."""

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
            Vertex(rank, item.across, item.along, number)
            for number, (item, rank) in enumerate(zip(items, ranks, strict=True))
        ]
        for source, tensor in self.labelled:
            assert source is not None
            vertex = self.vertices[source]
            vertex.across = max(vertex.across, label_size(tensor)[0])
        self.last = max(ranks, default=0) + 1
        self.entries: dict[Tensor, int] = {}
        self.exits: dict[Tensor, int] = {}
        self._add_ends(self.entries, 0, [link.tensor for link in links if link.source is None])
        self._add_ends(self.exits, self.last, [link.tensor for link in links if link.target is None])
        self.hops: list[Hop] = []
        self.lanes: list[list[int]] = []
        """Vertices of each lane, along the flow."""
        self.in_gaps: dict[tuple[int, Tensor], bool] = {}
        """Tensors whose label lies right after their source or, where that makes several, before the next rank."""
        self._run_lanes()
        self.ranks: list[list[int]] = []

    def _new(self, vertex: Vertex) -> int:
        self.vertices.append(vertex)
        return len(self.vertices) - 1

    def _add_ends(self, ends: dict[Tensor, int], rank: int, tensors: list[Tensor]) -> None:
        """Adds the places where tensors enter or leave the level, in the order that they have outside.

        The tensor made last is the trunk; the others come in lanes beside it, the oldest from farthest away.
        """
        for number, tensor in enumerate(sorted(set(tensors), key=lambda tensor: -tensor[1])):
            ends[tensor] = self._new(Vertex(rank, lane=number > 0))

    def _run_lanes(self) -> None:
        """Gives each tensor one lane from its source to its last reader, and hops between neighbouring ranks."""
        on_lanes: dict[Tensor, int] = {}
        made = Counter(source for source, _ in self.labelled)
        readers: dict[tuple[int, Tensor], list[int]] = defaultdict(list)
        for link in self.links:
            source = self.entries[link.tensor] if link.source is None else link.source
            readers[source, link.tensor].append(self.exits[link.tensor] if link.target is None else link.target)
        outgoing = Counter(source for source, _ in readers)
        for (source, tensor), targets in readers.items():
            branch = self.vertices[source].item is not None and outgoing[source] == len(targets) == 1
            targets.sort(key=lambda target: self.vertices[target].rank)
            at = source
            lane: list[int] = []
            for target in targets:
                while self.vertices[at].rank < self.vertices[target].rank - 1:
                    piece = self._new(Vertex(self.vertices[at].rank + 1, lane=True, branch=branch))
                    self._hop(tensor, at, piece)
                    lane.append(piece)
                    at = piece
                self._hop(tensor, at, target)
            if lane:
                self.lanes.append(lane)
                # The label at the source is far from where a skip or a tensor from outside arrives.
                if len(lane) > 1 and (len(targets) > 1 or (source, tensor) not in self.labelled):
                    on_lanes[tensor] = at
                elif (source, tensor) in self.labelled and made[source] > 1:
                    on_lanes[tensor] = lane[0]
        most = max(Counter(self.vertices[piece].rank for lane in self.lanes for piece in lane).values(), default=0)
        if most > _MOST_LABELLED_LANES:
            on_lanes.clear()
        for tensor, piece in on_lanes.items():
            self.vertices[piece].label = tensor
            self.vertices[piece].across = self.label_size(tensor)[0]
        for source, tensor in self.labelled:
            if made[source] == 1:
                self.in_gaps[source, tensor] = False
            elif tensor not in on_lanes:
                self.in_gaps[source, tensor] = True

    def _hop(self, tensor: Tensor, upper: int, lower: int) -> None:
        above, below = self.vertices[upper], self.vertices[lower]
        leave = self.items[above.item].exits.get(tensor, 0.0) if above.item is not None else 0.0
        enter = self.items[below.item].entries.get(tensor, 0.0) if below.item is not None else 0.0
        self.hops.append(Hop(tensor, upper, lower, leave, enter))

    def start(self, hop: Hop) -> float:
        """Where a hop leaves its upper vertex, across."""
        return self.vertices[hop.upper].x + hop.exit

    def end(self, hop: Hop) -> float:
        """Where a hop arrives at its lower vertex, across."""
        return self.vertices[hop.lower].x + hop.entry

    def order(self) -> None:
        """Orders the vertices of each rank.

        A lane that passes a rank where one node stands alone is a skip around the trunk: these run outside of all
        else. igraph's barycentre heuristic finds an order with few crossings for the rest.
        """
        from igraph import Graph

        alone = [0] * (self.last + 1)
        for vertex in self.vertices:
            alone[vertex.rank] += not vertex.lane
        skips = [
            lane
            for lane in self.lanes
            if not self.vertices[lane[0]].branch and any(alone[self.vertices[number].rank] == 1 for number in lane)
        ]
        outside = {number for lane in skips for number in lane}
        rest = [number for number in range(len(self.vertices)) if number not in outside]
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
        for track in self._tracks(skips):
            for lane in track:
                for number in lane:
                    self.ranks[self.vertices[number].rank].append(number)

    def _tracks(self, lanes: list[list[int]]) -> list[list[list[int]]]:
        """Shares tracks among lanes, from the trunk outwards: short lanes inside, those that follow each other on one.

        Without tracks a long chain of overlapping skips would drift away from the trunk like a staircase.
        """
        tracks: list[list[list[int]]] = []
        taken: list[set[int]] = []
        for lane in sorted(lanes, key=len):
            ranks = {self.vertices[number].rank for number in lane}
            track = next((index for index, used in enumerate(taken) if used.isdisjoint(ranks)), len(tracks))
            if track == len(tracks):
                tracks.append([])
                taken.append(set())
            tracks[track].append(lane)
            taken[track] |= ranks
        return tracks


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
