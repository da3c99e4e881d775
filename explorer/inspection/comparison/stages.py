"""The parts of which a network is made, and how two networks differ in each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.comparison.role import is_placeholder

Pairs = Sequence[tuple[Layer | None, Layer | None, bool]]
"""Counterparts in execution order, and whether they differ."""
Parts = tuple[tuple[int, str], ...]
"""How many of which type: `((17, "Bottleneck"),)`."""
Wholes = dict[int, tuple[int, str]]
"""For layers without counterpart, by index: first layer and type of the outermost block that has none, or their own."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of both networks, or of one of them, and the difference that it makes."""

    a: str
    """Dotted path in the first network; empty for layers outside of any part, and where it has none."""
    b: str
    same: int
    """Layers that are the same."""
    changed: int
    added: int
    removed: int
    added_parts: Parts
    """What was added, whole blocks as one: 17 × Bottleneck."""
    removed_parts: Parts
    delta_params: int
    delta_macs: int
    delta_activation_bytes: int

    def mirrored(self) -> Stage:
        """Returns the same the other way round."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            added=self.removed,
            removed=self.added,
            added_parts=self.removed_parts,
            removed_parts=self.added_parts,
            delta_params=-self.delta_params,
            delta_macs=-self.delta_macs,
            delta_activation_bytes=-self.delta_activation_bytes,
        )


def stage_paths(anatomy: Anatomy) -> tuple[str, ...]:
    """Returns the groups at the level where the network first falls into several parts.

    A group is opened as long as it is the only one of its level that holds several: `features` gives way to
    `features.denseblock1` and so on, whereas ResNet's `layer1` to `layer4` stay.
    """
    level, inside = _outermost([group.path for group in anatomy.groups]), inner_groups(anatomy)
    while True:
        holding = [path for path in level if len(inside[path]) > 1]
        if len(holding) != 1:
            return tuple(level)
        place = level.index(holding[0])
        level[place : place + 1] = _outermost(inside[holding[0]])


def inner_groups(anatomy: Anatomy) -> dict[str, list[str]]:
    """Returns the groups within each group, at any depth."""
    inside: dict[str, list[str]] = defaultdict(list)
    for group in anatomy.groups:
        for outer in enclosing(group.path):
            inside[outer].append(group.path)
    return inside


def enclosing(path: str) -> list[str]:
    """Returns the dotted paths around a path, outermost first."""
    parts = path.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _outermost(paths: Sequence[str]) -> list[str]:
    known = set(paths)
    return [path for path in paths if known.isdisjoint(enclosing(path))]


def stage_of(layer: Layer, paths: Sequence[str]) -> str:
    """Returns which of the parts a layer lies in; empty for none."""
    around = {*enclosing(layer.group), layer.group}
    return next((path for path in paths if path in around), "")


def stages(a: Anatomy, b: Anatomy, pairs: Pairs) -> tuple[Stage, ...]:
    """Sums a matching of layers over the parts of the networks, in execution order."""
    of_a, of_b = _parts_of(a), _parts_of(b)
    partner = _partners(of_a, of_b, pairs)
    back = {theirs: ours for ours, theirs in partner.items()}
    rows: dict[tuple[str, str], list[tuple[Layer | None, Layer | None, bool]]] = defaultdict(list)
    for pair in pairs:
        ours, theirs, _ = pair
        if ours is not None and (theirs is None or of_a[ours.index] in partner):
            path = of_a[ours.index]
            rows[path, partner.get(path, "")].append(pair)
        elif theirs is not None:
            path = of_b[theirs.index]
            rows[back.get(path, ""), path].append(pair)
    alone = (
        _wholes(a, {ours.index for ours, theirs, _ in pairs if ours is not None and theirs is None}),
        _wholes(b, {theirs.index for ours, theirs, _ in pairs if theirs is not None and ours is None}),
    )
    return tuple(_stage(key, members, *alone) for key, members in rows.items())


def _parts_of(anatomy: Anatomy) -> list[str]:
    """The part in which each layer lies; empty for none."""
    paths = stage_paths(anatomy)
    return [stage_of(layer, paths) for layer in anatomy.layers]


def _partners(of_a: Sequence[str], of_b: Sequence[str], pairs: Pairs) -> dict[str, str]:
    """Which part of the first is which of the second: those that share most layers, one to one."""
    shared: Counter[tuple[str, str]] = Counter()
    for ours, theirs, _ in pairs:
        if ours is not None and theirs is not None:
            shared[of_a[ours.index], of_b[theirs.index]] += 1
    partner = {"": ""}
    for (ours_path, theirs_path), _ in shared.most_common():
        if ours_path not in partner and theirs_path not in partner.values():
            partner[ours_path] = theirs_path
    return partner


def _wholes(anatomy: Anatomy, alone: set[int]) -> Wholes:
    """What each of the layers without counterpart is part of."""
    members: dict[str, list[int]] = defaultdict(list)
    for layer in anatomy.layers:
        if not is_placeholder(layer):
            for path in (*enclosing(layer.group), layer.group):
                members[path].append(layer.index)
    found: Wholes = {}
    for group in anatomy.groups:  # parents before children
        inside = members[group.path]
        if inside and alone.issuperset(inside) and group.type != "Sequential":  # which is no block, but a list of them
            for index in inside:
                found.setdefault(index, (inside[0], group.type))
    return {index: found.get(index, (index, anatomy.layers[index].type)) for index in alone}


def _stage(key: tuple[str, str], members: Pairs, alone_in_a: Wholes, alone_in_b: Wholes) -> Stage:
    removed = [ours for ours, theirs, _ in members if ours is not None and theirs is None]
    added = [theirs for ours, theirs, _ in members if theirs is not None and ours is None]
    changed = sum(differ for _, _, differ in members)

    def delta(field: str) -> int:
        return sum(
            (getattr(theirs, field) if theirs else 0) - (getattr(ours, field) if ours else 0)
            for ours, theirs, _ in members
        )

    return Stage(
        a=key[0],
        b=key[1],
        same=len(members) - changed - len(removed) - len(added),
        changed=changed,
        added=len(added),
        removed=len(removed),
        added_parts=_parts(alone_in_b[layer.index] for layer in added),
        removed_parts=_parts(alone_in_a[layer.index] for layer in removed),
        delta_params=delta("params"),
        delta_macs=delta("macs"),
        delta_activation_bytes=delta("activation_bytes"),
    )


def _parts(wholes: Iterable[tuple[int, str]]) -> Parts:
    counts = Counter(type_ for _, type_ in dict.fromkeys(wholes))
    return tuple((count, type_) for type_, count in counts.items())
