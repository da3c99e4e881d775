"""Where the families of networks stand on the timeline: years from left to right, descent along the lanes.

As in layered drawing (Sugiyama et al. 1981), a line of descent that spans several years is led through places of its
own, so that it passes no family, and lanes are the weighted means of their neighbours' lanes, kept apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.architectures.entry import Entry

WIDTH, HEIGHT = 94.0, 56.0
"""Of a family, in pixels like all lengths here."""
COLUMN, LANE = 122.0, 65.0
"""From one year to the next, and from one lane to the next."""
BREAK = 40.0
"""Room for the mark of years without a family."""
_NARROW = 0.4
"""Lanes that a passing line takes."""
_SWEEPS = 16
_BEHIND = 4.0
"""How much harder neighbours on the side that a sweep comes from pull: long lines straighten within a few sweeps."""
_MAIN, _SIDE, _SAME_YEAR = 3.0, 1.0, 1.0
"""How strongly lines pull: those of the first ancestor, of others, and within a year."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Year:
    """A column."""

    year: int
    x: float
    """Its middle."""
    skipped: int
    """Years without a family before it."""


@dataclass(frozen=True, slots=True)
class Descent:
    """A line from an ancestor to a family."""

    ancestor: str
    family: str
    main: bool
    """Whether it is the family's most important ancestor."""
    points: tuple[Point, ...]
    """Right edge of the ancestor, places on the way, left edge of the family; left edges both within a year."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture: places are the middles of the families, from (0, 0) at the upper left."""

    years: tuple[Year, ...]
    places: dict[str, Point]
    descents: tuple[Descent, ...]


@dataclass(frozen=True, slots=True)
class _Spot:
    """A family in the column of its year, or the line of its descent in a column that it passes."""

    file: str
    column: int
    passing: bool = False


def lay_out(families: Mapping[str, Entry]) -> Timeline:
    """Places families, given by file with their first network; ancestors that are not among them are left out."""
    years = _columns(sorted({entry.year or 0 for entry in families.values()}))
    number = {year.year: column for column, year in enumerate(years)}
    homes = {file: _Spot(file, number[entry.year or 0]) for file, entry in families.items()}
    ways = {
        (ancestor, file): _way(homes[ancestor], homes[file], main=not rank)
        for file, entry in families.items()
        for rank, ancestor in enumerate(name for name in entry.ancestors if name in families)
    }
    lanes = _lanes(homes, ways, families, len(years))
    top = min(lanes.values(), default=0.0)

    def point(spot: _Spot) -> Point:
        return years[spot.column].x, (lanes[spot] - top) * LANE + HEIGHT / 2

    places = {file: point(spot) for file, spot in homes.items()}
    descents = []
    for (ancestor, file), way in ways.items():
        (x1, y1), (x2, y2) = places[ancestor], places[file]
        start = (x1 + (WIDTH / 2 if x1 != x2 else -WIDTH / 2), y1)
        main = ancestor == next(name for name in families[file].ancestors if name in families)
        middle = tuple(point(spot) for spot in way[1:-1])
        descents.append(Descent(ancestor, file, main, (start, *middle, (x2 - WIDTH / 2, y2))))
    return Timeline(years, places, tuple(descents))


def _columns(years: Sequence[int]) -> tuple[Year, ...]:
    found: list[Year] = []
    for year in years:
        skipped = year - found[-1].year - 1 if found else 0
        step = COLUMN + (BREAK if skipped else 0.0)
        found.append(Year(year, found[-1].x + step if found else WIDTH / 2, skipped))
    return tuple(found)


def _way(start: _Spot, end: _Spot, main: bool) -> tuple[_Spot, ...]:
    """The spots of a line; all main lines from one ancestor share theirs, and others go straight."""
    between = range(start.column + 1, end.column) if main else ()
    return start, *(_Spot(start.file, column, passing=True) for column in between), end


def _lanes(
    homes: Mapping[str, _Spot],
    ways: Mapping[tuple[str, str], tuple[_Spot, ...]],
    families: Mapping[str, Entry],
    columns: int,
) -> dict[_Spot, float]:
    pulls: dict[_Spot, dict[_Spot, float]] = {spot: {} for spot in homes.values()}
    for (ancestor, file), way in ways.items():
        main = ancestor == next(name for name in families[file].ancestors if name in families)
        weight = _SAME_YEAR if homes[ancestor].column == homes[file].column else _MAIN if main else _SIDE
        for one, other in itertools.pairwise(way):
            pulls.setdefault(one, {})[other] = weight
            pulls.setdefault(other, {})[one] = weight
    order = {file: float(rank) for rank, file in enumerate(_by_descent(families))}
    lanes = {spot: order[spot.file] for spot in pulls}
    layers: list[list[_Spot]] = [[] for _ in range(columns)]
    for spot in sorted(pulls, key=lambda spot: (order[spot.file], spot.passing)):
        layers[spot.column].append(spot)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 1
        for layer in layers if forward else reversed(layers):
            wanted = {spot: _wanted(spot, pulls[spot], lanes, forward) for spot in layer}
            layer.sort(key=lambda spot: (wanted[spot], order[spot.file], spot.passing))
            lanes.update(zip(layer, _kept_apart(layer, [wanted[spot] for spot in layer]), strict=True))
    return lanes


def _by_descent(families: Mapping[str, Entry]) -> list[str]:
    """The families, each followed by its descendants, so that relatives begin side by side."""
    found: dict[str, None] = {}

    def visit(file: str) -> None:
        if file not in found:
            found[file] = None
            for child, entry in families.items():
                if next(iter(entry.ancestors), None) == file:
                    visit(child)

    for file, entry in families.items():
        if next(iter(entry.ancestors), None) not in families:
            visit(file)
    for file in families:
        visit(file)
    return list(found)


def _wanted(spot: _Spot, pulls: Mapping[_Spot, float], lanes: Mapping[_Spot, float], forward: bool) -> float:
    """The mean lane of the neighbours; those on the side that the sweep comes from pull harder."""
    total = moment = 0.0
    for other, weight in pulls.items():
        behind = other.column < spot.column if forward else other.column > spot.column
        pull = weight * (_BEHIND if behind else 1.0)
        total += pull
        moment += pull * lanes[other]
    return moment / total if total else lanes[spot]


def _kept_apart(layer: Sequence[_Spot], wanted: Sequence[float]) -> list[float]:
    """Returns the lanes nearest to those wanted, in the least squares, at which nothing overlaps.

    Less the room that all before it take, lanes have only to rise: isotonic regression by pooling adjacent violators.
    """
    offsets, offset = [0.0], 0.0
    for one, other in itertools.pairwise(layer):
        offset += (_room(one) + _room(other)) / 2
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for value, shift in zip(wanted, offsets, strict=False):
        pools.append((value - shift, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    means = [mean for mean, size in pools for _ in range(size)]
    return [mean + shift for mean, shift in zip(means, offsets, strict=False)]


def _room(spot: _Spot) -> float:
    return _NARROW if spot.passing else 1.0
