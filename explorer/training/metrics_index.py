"""The metrics of a run, read at once however long it was: an index beside `metrics.jsonl` holds its numbers.

`metrics.jsonl` is the truth, for this program and for others. The index is a row of records of fixed size: the numbers
of one step, or a mark that something else happened, and where in `metrics.jsonl` the line ends that tells of it. It is
extended as lines are; a reader takes from it what agrees with the lines, and goes through the rest itself.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from explorer.training.events import Event, Steps, from_document
from explorer.whole_file import append_whole, write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS = "metrics.jsonl"
ENDING = ".index"
"""Of the index, in place of the metrics' own."""
FIELDS = (
    ("end", "<i8"),
    ("step", "<i8"),
    ("loss", "<f8"),
    ("learning_rate", "<f8"),
    ("images_per_second", "<f8"),
    ("grad_norm", "<f8"),
)
"""Where the line ends, in bytes; the step, 0 for what is not of a step; NaN for what is known of the newest step of a
report alone."""
SIZE = 48
_HEADER = (-1, 0x45585031, 0.0, 0.0, 0.0, 0.0)
"""The first record: says that this is such an index, and of which version."""
WORTH_KEEPING = 1 << 18
"""Bytes of lines that were gone through, from which on the index is written anew."""

_STEPS_KEYS = {"event", *(field.name for field in fields(Steps))}

_REMEMBERED = 256
"""Bytes before a place in the lines by which it is known again."""

Record = tuple[int, int, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where the lines have been read."""

    end: int
    """In bytes, after a whole line."""
    before: bytes
    """The last bytes up to there: the lines may have been cut short, and have grown again since."""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """What a run has told."""

    steps: NDArray[Any]
    """Records of `FIELDS`, one a step, in the order of the lines: a damaged run may repeat steps."""
    events: tuple[Event, ...]
    """All but the steps."""
    place: Place


def records(event: Event, end: int) -> list[Record]:
    """Returns the records of an event whose line ends at a byte."""
    if not isinstance(event, Steps):
        return [(end, 0, math.nan, math.nan, math.nan, math.nan)]
    step = int(event.step)
    first = step - len(event.losses) + 1
    if first < 1 or step >= 1 << 53:  # no step of any run
        return []
    rows = [(end, first + place, loss, math.nan, math.nan, math.nan) for place, loss in enumerate(event.losses)]
    norm = math.nan if event.grad_norm is None else event.grad_norm
    rows[-1] = (end, step, event.losses[-1], event.learning_rate, event.images_per_second, norm)
    return rows


def note(path: Path, event: Event, begin: int, end: int) -> None:
    """Extends the index of a file of metrics by an event whose line has just been written there.

    An index that ends elsewhere is left as it is, and what cannot be written is left to the next reader.
    """
    # One and the same file is looked at and added to: a reader may put another in its place meanwhile.
    with suppress(OSError), path.with_suffix(ENDING).open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            rows = [_HEADER, *records(event, end)] if begin == 0 else []
        else:
            file.seek(-min(SIZE, size), os.SEEK_END)
            ends_there = int.from_bytes(file.read(8), "little", signed=True) == begin and not size % SIZE
            rows = records(event, end) if ends_there else []
        if rows:
            append_whole(file, table_of(rows).tobytes())


def table_of(rows: list[Record]) -> NDArray[Any]:
    """Returns records as an array of `FIELDS`."""
    import numpy as np

    return np.array(rows, dtype=list(FIELDS))


def write_index(path: Path, steps: NDArray[Any]) -> None:
    """Replaces the index by these records; one that cannot be written is gone."""
    import numpy as np

    def write(target: Path) -> None:
        with target.open("wb") as file:
            np.concatenate((table_of([_HEADER]), steps)).tofile(file)

    drop_index(path)
    if not len(steps):
        return
    with suppress(OSError):
        write_whole(path.with_suffix(ENDING), partial(path.with_suffix(ENDING)), write)


def partial(path: Path) -> Path:
    """Returns where a file is written before it takes its place; processes that write the same one do not meet there.

    What a process that was killed leaves there is removed by the next that trains.
    """
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")


def drop_index(path: Path) -> None:
    """Removes the index: the lines are about to change."""
    with suppress(OSError):
        path.with_suffix(ENDING).unlink()


def read_metrics(path: Path) -> Metrics:
    """Reads the metrics of a run; lines that are damaged are left out. An index that is missing or old is written anew.

    Raises:
        OSError: the metrics are there and cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Metrics(table_of([]), (), Place(0, b""))
    with file:
        table, known = _records_of(path, file)
        read = file.tell() - known
        place = _place(file, int(table["end"][-1]) if len(table) else 0)
    if read >= WORTH_KEEPING:
        write_index(path, table)
    return Metrics(table[table["step"] > 0], tuple(event for _, event in _others(path, table)), place)


def _records_of(path: Path, file: BinaryIO) -> tuple[NDArray[Any], int]:
    """Returns the records of all lines, and up to which byte the index had them; the file is read up to its end."""
    import numpy as np

    known = _known(path, file)
    begin = int(known["end"][-1]) if len(known) else 0
    rest = _scan(file, begin)
    return np.concatenate((known, rest)) if len(known) else rest, begin


def _place(file: BinaryIO, end: int) -> Place:
    begin = max(end - _REMEMBERED, 0)
    file.seek(begin)
    return Place(end, file.read(end - begin))


def read_on(path: Path, place: Place) -> tuple[list[Event], Place] | None:
    """Reads the lines that have been added since; half a line at the end is left for the next time.

    Returns:
        their events and the new place; None where the lines before are others now, or so many have been added that
        reading all by the index is quicker.

    Raises:
        OSError: the metrics are not there or cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not 0 <= size - place.end <= WORTH_KEEPING or _place(file, place.end) != place:
            return None
        file.seek(place.end)
        content = file.read(size - place.end)
        whole = content.rfind(b"\n") + 1
        events = [event for event in map(_event, content[:whole].splitlines()) if event is not None]
        return events, _place(file, place.end + whole)


def cut(path: Path, step: int, is_kept: Callable[[Event], bool]) -> None:
    """Drops the lines of later steps, and of other events those that are not to be kept; the index follows.

    What ends the program meanwhile leaves the lines as they were, or as they are to be.

    Raises:
        OSError: the metrics cannot be written.
    """
    import numpy as np

    with path.open("ab"):  # a run that begins has none yet
        pass
    with path.open("rb") as file:
        table, known = _records_of(path, file)
    last = np.flatnonzero(np.diff(table["end"], append=-1))  # of each line, its last record
    ends = table["end"][last]
    begins = np.concatenate(([0], ends[:-1])).astype(np.int64)
    kept = (table["step"][last] > 0) & (table["step"][last] <= step)
    for place, event in _others(path, table):
        kept[np.searchsorted(last, place)] = is_kept(event)
    first = int(np.argmin(kept)) if not kept.all() else len(kept)  # of those that are dropped
    later = first + np.flatnonzero(kept[first:])
    end = int(ends[first - 1]) if first else 0
    if not len(later):
        rows = table[table["end"] <= end]
        if len(rows) and known >= end:
            with suppress(OSError):  # a reader may be writing it anew
                os.truncate(path.with_suffix(ENDING), SIZE * (1 + len(rows)))
        else:
            write_index(path, rows)
        os.truncate(path, end)
        return
    drop_index(path)
    with path.open("rb") as file:
        lines = [_line(file, int(begins[line]), int(ends[line])) for line in later]

    def write(target: Path) -> None:
        with path.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.truncate(end)
            copy.seek(end)
            copy.writelines(lines)

    write_whole(path, partial(path), write)


def _known(path: Path, file: BinaryIO) -> NDArray[Any]:
    """Returns the records of the index that agree with the lines: all of them, or none."""
    import numpy as np

    try:
        table = np.fromfile(path.with_suffix(ENDING), dtype=list(FIELDS))
    except OSError:
        return table_of([])
    if len(table) < 2 or tuple(table[0])[:2] != _HEADER[:2]:
        return table_of([])
    table = table[1:]
    size = file.seek(0, 2)
    ends = table["end"]
    if ends[0] <= 0 or ends[-1] > size or (np.diff(ends) < 0).any():
        return table_of([])
    # The last line that is known must be the one that the last record was made from.
    other_ends = ends[ends < ends[-1]]
    begin = int(other_ends[-1]) if len(other_ends) else 0
    event = _event(_line(file, begin, int(ends[-1])))
    expected = table_of(records(event, int(ends[-1]))[-1:] if event is not None else [])
    return table if expected.tobytes() == table[-1:].tobytes() else table_of([])


def _scan(file: BinaryIO, begin: int) -> NDArray[Any]:
    """Goes through the lines from a byte on."""
    import numpy as np

    file.seek(begin)
    columns: list[list[float]] = [[] for _ in FIELDS]
    end = begin
    for line in file:
        end += len(line)
        event = _event(line) if line.endswith(b"\n") else None
        if event is not None:
            for row in records(event, end):
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
    table = np.empty(len(columns[0]), dtype=list(FIELDS))
    for (name, _), column in zip(FIELDS, columns, strict=True):
        table[name] = column
    return table


def _line(file: BinaryIO, begin: int, end: int) -> bytes:
    """Returns the line that ends at byte `end`; before it, from `begin` on, there may be damaged ones."""
    file.seek(begin)
    return file.read(end - begin).rstrip(b"\n").rpartition(b"\n")[2] + b"\n"


def _event(line: bytes) -> Event | None:
    try:
        document = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return _plain_steps(document) or from_document(document)


def _plain_steps(document: dict[str, Any]) -> Steps | None:
    """Returns what most lines are, quickly, where nothing about it is unusual."""
    if document.keys() != _STEPS_KEYS or document["event"] != "steps":
        return None
    step, epoch, losses, norm = document["step"], document["epoch"], document["losses"], document["grad_norm"]
    numbers = (document["learning_rate"], document["images_per_second"], document["seconds_left"])
    if type(step) is not int or type(epoch) is not int or type(losses) is not list or not losses:
        return None
    for number in (*losses, *numbers, 0.0 if norm is None else norm):
        if type(number) is not float or not -1e300 < number < 1e300:
            return None
    return Steps(epoch, step, tuple(losses), *numbers, norm)


def _others(path: Path, table: NDArray[Any]) -> Iterator[tuple[int, Event]]:
    """Reads the events that are not of steps; yields (index of its record, event)."""
    import numpy as np

    places = np.flatnonzero(table["step"] <= 0)
    with path.open("rb") as file:
        for place in places.tolist():
            begin, end = (int(table["end"][place - 1]) if place else 0), int(table["end"][place])
            event = _event(_line(file, begin, end))
            if event is not None and not isinstance(event, Steps):
                yield place, event
