"""The metrics of a run, read at once however long it was: an index beside `metrics.jsonl` holds its numbers.

`metrics.jsonl` is the truth, for this program and for others. The index is a row of records of fixed size: the numbers
of one step, or a mark that something else happened, and where in `metrics.jsonl` the line ends that tells of it. It is
extended as lines are; a reader takes from it what agrees with the lines, and goes through the rest itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.training.events import Event, Steps, from_document
from explorer.whole_file import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

Record = tuple[int, int, float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """What a run has told."""

    steps: NDArray[Any]
    """Records of `FIELDS`, one a step, in the order of the lines: a damaged run may repeat steps."""
    events: tuple[Event, ...]
    """All but the steps."""


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
    with suppress(OSError), path.with_suffix(ENDING).open("a+b") as file:
        if file.tell() == 0:
            rows = [_HEADER, *records(event, end)] if begin == 0 else []
        else:
            file.seek(-min(SIZE, file.tell()), 2)
            ends_there = int.from_bytes(file.read(SIZE)[:8], "little", signed=True) == begin and not file.tell() % SIZE
            rows = records(event, end) if ends_there else []
        if rows:
            file.write(table_of(rows).tobytes())


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
        write_whole(path.with_suffix(ENDING), path.with_suffix(f"{ENDING}.part"), write)


def drop_index(path: Path) -> None:
    """Removes the index: the lines are about to change."""
    with suppress(OSError):
        path.with_suffix(ENDING).unlink()


def read_metrics(path: Path) -> Metrics:
    """Reads the metrics of a run; lines that are damaged are left out. An index that is missing or old is written anew.

    Raises:
        OSError: the metrics are there and cannot be read.
    """
    import numpy as np

    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Metrics(table_of([]), ())
    with file:
        known = _known(path, file)
        begin = int(known["end"][-1]) if len(known) else 0
        rest = _scan(file, begin)
        read = file.tell() - begin
    table = np.concatenate((known, rest)) if len(known) else rest
    if read >= WORTH_KEEPING:
        write_index(path, table)
    return Metrics(table[table["step"] > 0], tuple(_others(path, table)))


def _known(path: Path, file: Any) -> NDArray[Any]:
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
    file.seek(begin)
    line = file.read(int(ends[-1]) - begin).splitlines()[-1:]
    event = _event(line[0]) if line else None
    expected = table_of(records(event, int(ends[-1]))[-1:] if event is not None else [])
    return table if expected.tobytes() == table[-1:].tobytes() else table_of([])


def _scan(file: Any, begin: int) -> NDArray[Any]:
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


def _others(path: Path, table: NDArray[Any]) -> Iterator[Event]:
    """Reads the events that are not of steps from the places where the records say that they are."""
    import numpy as np

    places = np.flatnonzero(table["step"] <= 0)
    with path.open("rb") as file:
        for place in places.tolist():
            begin, end = (int(table["end"][place - 1]) if place else 0), int(table["end"][place])
            file.seek(begin)
            lines = file.read(end - begin).splitlines()
            event = _event(lines[-1]) if lines else None
            if event is not None and not isinstance(event, Steps):
                yield event
