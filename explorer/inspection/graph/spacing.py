"""Places things side by side: each close to where its neighbours want it, none closer to another than allowed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

_SWEEPS = 40


def settle(
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
