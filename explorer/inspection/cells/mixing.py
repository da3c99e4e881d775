"""Layers that sum over whole axes: reductions, linear layers, products of matrices, attention, normalisation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from explorer.inspection.anatomy import ReceptiveField
from explorer.inspection.cells.axes import Axes, broadcast, has_places, plain_axis
from explorer.inspection.cells.elementwise import elementwise
from explorer.inspection.cells.state import State, Step, keep, pick, unknown
from explorer.inspection.field_arithmetic import GLOBAL, lost, sees_all, union


def _mixed(step: Step, mixed: Iterable[int]) -> ReceptiveField | None:
    """Returns the field of what sums up whole axes, all cells or none of them."""
    inside, outside = _parted(step.axes or (), mixed)
    if has_places(inside) and has_places(outside):
        return lost(step.field)
    return step.field if has_places(outside) else everything(step)


def everything(step: Step) -> ReceptiveField | None:
    """Returns the field of what sums up all cells: nothing that is known where some had been cut off before."""
    return GLOBAL if sees_all(step.field, step.sides) else lost(step.field)


def _parted(axes: Axes, mixed: Iterable[int]) -> tuple[Axes, Axes]:
    chosen = {index % len(axes) for index in mixed}
    inside = tuple(axis for index, axis in enumerate(axes) if index in chosen)
    return inside, tuple(axis for index, axis in enumerate(axes) if index not in chosen)


def linear(step: Step) -> State:
    """A weighted sum over the last axis."""
    axes = step.axes or ()
    return State((*axes[:-1], plain_axis(step.after[-1])), _mixed(step, [-1]))


def reduced(step: Step, reduced: tuple[int, ...]) -> State:
    """One value for all along some axes, which stay with size 1 or go."""
    axes = step.axes or ()
    chosen = {index % len(axes) for index in reduced}
    if len(step.after) == len(axes):
        left: Axes = tuple(() if index in chosen else axis for index, axis in enumerate(axes))
    else:
        left = tuple(axis for index, axis in enumerate(axes) if index not in chosen)
    mixes_cells = has_places(axes[index] for index in chosen) or max(chosen) >= 2
    return State(left, _mixed(step, chosen) if mixes_cells else step.field)


def reduction(step: Step) -> State:
    """Mean, sum, largest value…, over the axes that the call names."""
    if len(step.sources) > 1 and "dim" not in step.settings:
        return elementwise(step)  # the larger of two tensors
    count = len(step.before)
    dims = pick(step.settings.get("dim"), count) or (tuple(range(count)) if set(step.after) <= {1} else ())
    fits = len(step.after) in (count, count - len(dims))
    return reduced(step, dims) if dims and fits else unknown(step)


def softmax(step: Step) -> State:
    """Values divided by a sum along an axis."""
    default = 1 if step.kind == "normalize" else None
    return _scaled(step, pick(step.settings.get("dim", default), len(step.before)))


def sample_norm(step: Step) -> State:
    """Group, instance and response normalisation: statistics of this image, over all its cells."""
    running = "instance" in step.kind and not step.type.islower() and step.settings.get("track_running_stats", True)
    return keep(step) if running else _scaled(step, tuple(range(1, len(step.before))))


def channel_norm(step: Step) -> State:
    """Layer normalisation: over the last axes, or over the channels of an image."""
    shape = step.settings.get("normalized_shape", (0,))
    count = len(shape) if isinstance(shape, tuple) else 1
    rank = len(step.before)
    return _scaled(step, (1,) if step.dimensions(0) else tuple(range(rank - count, rank)))


def _scaled(step: Step, over: tuple[int, ...]) -> State:
    """Cells divided by a statistic over axes: where these are all the places, it sees everything."""
    field = step.field
    inside, outside = _parted(step.axes or (), over)
    if not over or (has_places(inside) and has_places(outside)):
        return State(step.axes, lost(field))
    if has_places(inside):
        field = replace(field or GLOBAL, is_global=sees_all(field, step.sides))
    return State(step.axes, field)


def product(step: Step) -> State:
    """`(…, L, E) @ (…, E, S)`."""
    if len(step.sources) != 2:
        # The other factor is a parameter, on the side that the shapes tell.
        axes, right = step.axes or (), step.after[:-1] == step.before[:-1]
        left = step.after[-1:] == step.before[-1:] and len(axes) > 1
        if right == left or len(step.sources) > 1:
            return unknown(step)
        return linear(step) if right else State(None, _mixed(step, [-2]))
    (a, _), (b, _) = step.sources
    first, second = a.axes or (), b.axes or ()
    if min(len(first), len(second)) < 2:
        return unknown(step)
    batch = broadcast((first[:-2], second[:-2]), step.after[:-2])
    axes_after = None if batch is None else (*batch, first[-2], second[-1])
    summed = (_parted(first, [-1]), _parted(second, [-2]))
    fields = [a.field, b.field]
    if any(has_places(inside) and not has_places(outside) for inside, outside in summed):
        return State(axes_after, GLOBAL)
    if any(has_places(inside) for inside, _ in summed) or (has_places(first) and has_places(second)):
        return State(axes_after, lost(step.field))  # windowed attention, or a pair of places
    return State(axes_after, union(fields) if axes_after is not None else lost(step.field))


def attention(step: Step) -> State:
    """`softmax(Q·Kᵀ)·V`: each query sees all keys; heads before tokens, or tokens first in PyTorch's own module."""
    tokens = 0 if "forward" in step.kind else -2
    keys = step.sources[min(1, len(step.sources) - 1)][0].axes or ()
    axes = step.axes or ()
    inside, outside = _parted(keys, [tokens])
    field = step.field
    if has_places(inside):
        field = lost(field) if has_places(outside) else GLOBAL
    return State((*axes[:-1], plain_axis(step.after[-1])) if len(step.after) == len(axes) else None, field)
