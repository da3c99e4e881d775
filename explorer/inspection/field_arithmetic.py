"""What windows, slices and branches do to a receptive field, and which input pixels a cell sees.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019. A cell i of a
feature map sees the input pixels [start + i·stride, start + i·stride + size − 1] in each dimension. A window of k
cells, d apart, moving s cells at a time over an input padded by p changes this to

    size' = size + (k − 1)·d·stride,   start' = start − p·stride,   stride' = stride·s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from explorer.inspection.anatomy import ReceptiveField

GLOBAL = ReceptiveField((), (), (), (), is_global=True)
"""Of what sees the whole input and has no window of its own."""

Patch = tuple[tuple[int, int], ...]
"""First and last input pixel, both seen, per spatial dimension."""


class Window(NamedTuple):
    """A kernel along one dimension."""

    kernel: int
    stride: int
    dilation: int
    padding: int
    """At the low end."""
    cells: int
    """How many outputs it gives."""


def input_field(sides: Sequence[int]) -> ReceptiveField:
    """Returns the field of the input itself: each pixel sees itself."""
    ones = (1,) * len(sides)
    return ReceptiveField(ones, ones, (0,) * len(sides), tuple(sides))


def lost(field: ReceptiveField | None) -> ReceptiveField | None:
    """Returns what is left where no window describes the cells any more."""
    return GLOBAL if field is not None and field.is_global else None


def sees_all(field: ReceptiveField | None, sides: Sequence[int]) -> bool:
    """Returns whether all cells together see an input of these sides.

    Windows that do not fit a last time leave out less than a stride at the end; more is left out by a slice alone.
    Of cells without a window it is taken for granted.
    """
    if field is None or not field.size or field.is_global:
        return True
    ends = (s + (n - 1) * j + z for s, n, j, z in zip(field.start, field.cells, field.stride, field.size, strict=True))
    gaps = zip(field.start, ends, sides, field.stride, strict=True)
    return all(start < stride and side - end < stride for start, end, side, stride in gaps)


def union(fields: Iterable[ReceptiveField | None]) -> ReceptiveField | None:
    """Returns the smallest field that covers those of all branches; none where their strides do not agree."""
    fields = list(fields)
    sees_all = any(field is not None and field.is_global for field in fields)
    windows = [field for field in fields if field is not None and field.size]
    if None in fields or len({(field.stride, field.cells) for field in windows}) != 1:
        return GLOBAL if sees_all else None
    ends = [tuple(s + n for s, n in zip(field.start, field.size, strict=True)) for field in windows]
    start = tuple(map(min, zip(*(field.start for field in windows), strict=True)))
    end = tuple(map(max, zip(*ends, strict=True)))
    size = tuple(e - s for e, s in zip(end, start, strict=True))
    return ReceptiveField(size, windows[0].stride, start, windows[0].cells, sees_all)


def through_windows(field: ReceptiveField, windows: Mapping[int, Window]) -> ReceptiveField:
    """Returns the field after a kernel along each dimension that `windows` names; what has no window stays so."""
    size, stride, start, cells = map(list, (field.size, field.stride, field.start, field.cells))
    for dimension, window in windows.items() if field.size else ():
        step = stride[dimension]
        size[dimension] += (window.kernel - 1) * window.dilation * step
        start[dimension] -= window.padding * step
        stride[dimension] = step * window.stride
        cells[dimension] = window.cells
    return replace(field, size=tuple(size), stride=tuple(stride), start=tuple(start), cells=tuple(cells))


def input_patch(field: ReceptiveField, cell: Sequence[int]) -> Patch:
    """Returns the input pixels that one cell sees through convolutions and pooling; padding reaches beyond the image.

    Args:
        field: with a window.
        cell: an index per spatial dimension, row before column.

    Raises:
        ValueError: the field has no window, or the feature map no such cell.
    """
    if not field.size:
        raise ValueError("a field without a window sees the whole input, and no patch of it")
    if len(cell) != len(field.cells) or not all(0 <= i < n for i, n in zip(cell, field.cells, strict=True)):
        raise ValueError(f"cell {tuple(cell)} is none of {'×'.join(map(str, field.cells))}")
    firsts = [start + i * stride for start, i, stride in zip(field.start, cell, field.stride, strict=True)]
    return tuple((first, first + size - 1) for first, size in zip(firsts, field.size, strict=True))


def clipped(patch: Patch, sides: Sequence[int]) -> Patch | None:
    """Returns the part of a patch that lies in an image of these sides; None where it sees padding alone.

    The last pixels, where a window of some layer did not fit a last time, count as seen.
    """
    inside = tuple((max(first, 0), min(last, side - 1)) for (first, last), side in zip(patch, sides, strict=True))
    return inside if all(first <= last for first, last in inside) else None
