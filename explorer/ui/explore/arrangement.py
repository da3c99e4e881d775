"""How the explorer's own networks are arranged in the list: flat, by year, or as the tree of their families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from explorer.architectures.entry import Entry


class Arrangement(StrEnum):
    """The values are remembered in the settings."""

    FLAT = "flat"
    YEAR = "year"
    ANCESTRY = "ancestry"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the list: a network, or a heading with what belongs below it."""

    text: str
    entry: Entry | None = None
    below: tuple[Branch, ...] = ()


def arrange(entries: Sequence[Entry], arrangement: Arrangement) -> tuple[Branch, ...]:
    """Returns networks, oldest first, as the lines of a section."""
    if arrangement is Arrangement.YEAR:
        return tuple(
            Branch(str(year or "Year unknown"), None, tuple(Branch(entry.title, entry) for entry in group))
            for year, group in groupby(entries, key=lambda entry: entry.year)
        )
    if arrangement is Arrangement.ANCESTRY:
        return _family_tree(entries)
    return tuple(Branch(line_text(entry), entry) for entry in entries)


def line_text(entry: Entry) -> str:
    """Returns `2015  ResNet-50`."""
    return f"{entry.year}  {entry.title}" if entry.year else entry.title


def _family_tree(entries: Sequence[Entry]) -> tuple[Branch, ...]:
    """Families below the one that each grew out of first; a family whose ancestor is not there is a root."""
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.file, []).append(entry)
    children: dict[str, list[str]] = {}
    for file, members in families.items():
        ancestor = next(iter(members[0].ancestors), "")
        children.setdefault(ancestor if ancestor in families else "", []).append(file)

    def branch(file: str) -> Branch:
        members = families[file]
        below = tuple(branch(child) for child in children.get(file, ()))
        if len(members) == 1:
            return Branch(line_text(members[0]), members[0], below)
        first = members[0]
        variants = tuple(Branch(entry.title, entry) for entry in members)
        return Branch(f"{first.year}  {first.family}", None, variants + below)

    return tuple(branch(file) for file in children.get("", ()))
