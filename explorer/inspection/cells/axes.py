"""Which axes of a tensor run over the cells of a feature map, followed through views, permutations and broadcasts.

A network may hold its feature maps as `(B, C, H, W)`, as `(B, H, W, C)`, as tokens `(B, H·W, C)` or cut into windows.
An axis is the row-major product of its factors: after `view(B, H / 7, 7, W / 7, 7, C)` the height is split into two
factors, of which the first steps by 7 cells and the second by 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from explorer.inspection.anatomy import Shape

OTHER = -1
"""The dimension of factors that are no place: batch, channels, heads."""
TOKENS = 9
"""The dimension of an axis that holds all cells and further tokens beside them."""


class Factor(NamedTuple):
    """Part of an axis."""

    dimension: int
    """Spatial dimension of the network's input, from 0, or one of the two above."""
    size: int
    step: int
    """Cells of the feature map between neighbours."""


Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]


def image_axes(shape: Shape) -> Axes:
    """Returns the axes of a feature map `(B, C, *spatial)`."""
    return tuple(
        plain_axis(size) if i < 2 else (Factor(i - 2, size, 1),) if size > 1 else () for i, size in enumerate(shape)
    )


def plain_axis(size: int) -> Axis:
    """Returns an axis that is no place."""
    return (Factor(OTHER, size, 1),) if size > 1 else ()


def is_place(axis: Axis) -> bool:
    """Returns whether different indices of the axis are different places."""
    return any(factor.dimension != OTHER for factor in axis)


def has_places(axes: Iterable[Axis]) -> bool:
    """Returns whether any of the axes is a place."""
    return any(map(is_place, axes))


def fitted(axes: Axes | None, shape: Shape) -> Axes | None:
    """Returns the axes of one of several outputs of a layer, which differ in their channels; None where it can't be."""
    if axes is None or len(axes) != len(shape):
        return None
    result = []
    for axis, size in zip(axes, shape, strict=True):
        if is_place(axis):
            if math.prod(factor.size for factor in axis) != size:
                return None
            result.append(axis)
        else:
            result.append(plain_axis(size))
    return tuple(result)


def whole_dimension(axes: Axes, index: int) -> int | None:
    """Returns the spatial dimension that an axis runs over from its first to its last cell, and no other axis does."""
    axis = axes[index]
    if len(axis) != 1 or axis[0].step != 1 or axis[0].dimension in (OTHER, TOKENS):
        return None
    others = (factor.dimension for i, other in enumerate(axes) if i != index for factor in other)
    return axis[0].dimension if axis[0].dimension not in others else None


def reshaped(axes: Axes, shape: Shape) -> Axes | None:
    """Returns the axes of a row-major view of another shape; None where an axis would cut through a factor."""
    left = [factor for axis in reversed(axes) for factor in reversed(axis)]  # the next one last
    result = []
    for size in shape:
        taken: list[Factor] = []
        while size > 1:
            if not left:
                return None
            dimension, known, step = left.pop()
            if size % known == 0:
                taken.append(Factor(dimension, known, step))
                size //= known
            elif known % size == 0 and dimension != TOKENS:
                rest = known // size
                taken.append(Factor(dimension, size, step * rest))
                left.append(Factor(dimension, rest, step))
                size = 1
            else:
                return None
        result.append(_joined(taken))
    return tuple(result) if not left else None


def _joined(factors: list[Factor]) -> Axis:
    """Returns the factors with those joined that were split from one another and are neighbours again."""
    result: list[Factor] = []
    for factor in factors:
        last = result[-1] if result else None
        same = last is not None and last.dimension == factor.dimension != TOKENS
        if last is not None and same and (factor.dimension == OTHER or last.step == factor.size * factor.step):
            result[-1] = Factor(factor.dimension, last.size * factor.size, factor.step)
        else:
            result.append(factor)
    return tuple(result)


def reordered(axes: Axes, order: Sequence[int]) -> Axes | None:
    """Returns the axes in another order; None where the order does not name each axis once."""
    count = len(axes)
    places = [index % count for index in order]
    return tuple(axes[index] for index in places) if sorted(places) == list(range(count)) else None


def broadcast(sources: Sequence[Axes], shape: Shape) -> Axes | None:
    """Returns the axes of what elementwise operations make of tensors; None where their places do not agree."""
    if any(len(axes) > len(shape) for axes in sources):
        return None
    result = []
    for back in range(len(shape), 0, -1):
        size = shape[-back]
        places = {axes[-back] for axes in sources if back <= len(axes) and is_place(axes[-back])}
        if len(places) > 1:
            return None
        result.append(places.pop() if places else plain_axis(size))
    return fitted(tuple(result), shape)
