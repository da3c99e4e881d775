"""Which networks of the list to show: what is typed in the search field, and ranges, task and idea beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from explorer.architectures.entry import Entry, Figure


def parse_count(text: str) -> int:
    """Returns the count that is written as `25,557,032`, `25 M` or `3.8g`.

    Raises:
        ValueError: it is not a count.
    """
    return Figure(text.strip()).value


def parse_year(text: str) -> int:
    """Returns the year that is written.

    Raises:
        ValueError: it is not a year of four digits.
    """
    if not re.fullmatch(r"\d{4}", text.strip()):
        raise ValueError(f"{text!r} is not a year: write it as 2015")
    return int(text)


@dataclass(frozen=True, slots=True)
class Range:
    """From one number to another, both included; None where it is open."""

    least: int | None = None
    most: int | None = None

    def __bool__(self) -> bool:
        return self.least is not None or self.most is not None

    def __contains__(self, value: int) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class NetworkFilter:
    """What a network must be to be shown; the default shows all."""

    year: Range = Range()
    params: Range = Range()
    macs: Range = Range()
    task: str = ""
    idea: str = ""
    """A key of `cards.ideas()`."""

    def __bool__(self) -> bool:
        return self != NetworkFilter()

    def accepts(self, entry: Entry) -> bool:
        """Returns whether the entry passes; what is not known of it does not."""
        if (self.task and entry.task != self.task) or (self.idea and self.idea not in entry.ideas):
            return False
        if self.year and (entry.year is None or entry.year not in self.year):
            return False
        if not self.params and not self.macs:
            return True
        return all(
            not wanted or (count is not None and count in wanted)
            for wanted, count in zip((self.params, self.macs), counts(entry), strict=True)
        )

    def lacks_facts(self, entry: Entry) -> bool:
        """Returns whether an entry fails only because its year, parameters or MACs are not known."""
        if not (self.year or self.params or self.macs):
            return False
        params, macs = counts(entry)
        known = replace(
            self,
            year=self.year if entry.year is not None else Range(),
            params=self.params if params is not None else Range(),
            macs=self.macs if macs is not None else Range(),
        )
        return known != self and known.accepts(entry)


def counts(entry: Entry) -> tuple[int | None, int | None]:
    """Returns the parameters and MACs that are printed for exactly this network, None where they are not."""
    if not entry.published:
        return None, None
    first = entry.published[0]
    return first.params.value if first.params else None, first.macs.value if first.macs else None
