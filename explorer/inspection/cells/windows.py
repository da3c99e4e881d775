"""Layers whose kernel slides over the cells, and those that give a map another size."""

from __future__ import annotations

from dataclasses import replace

from explorer.inspection.anatomy import Shape
from explorer.inspection.cells.axes import (
    Axes,
    Axis,
    Factor,
    has_places,
    image_axes,
    is_place,
    plain_axis,
    whole_dimension,
)
from explorer.inspection.cells.mixing import reduced
from explorer.inspection.cells.state import State, Step, each, keep, pick, unknown
from explorer.inspection.field_arithmetic import GLOBAL, Window, lost, through_windows

_UNEVEN = ("unpool", "fractional", "deform")
"""Words in types with a kernel that does not slide over its input in even steps."""


def windowed(step: Step) -> State:
    """Convolutions and pooling, over the last axes."""
    axes, before, after, field = step.axes or (), step.before, step.after, step.field
    kernel = step.settings["kernel_size"]
    count = len(kernel) if isinstance(kernel, tuple) else step.dimensions(len(before) - 2)
    if len(before) != len(after) or not 1 <= count <= len(before) - 1:
        return unknown(step)
    if any(word in step.kind for word in _UNEVEN) or is_place(axes[-count - 1]):
        return resized(step)
    dimensions = [_dimension(step, index - count + len(before)) for index in range(count)]
    windows = _windows(step, count)
    if None in dimensions or windows is None:
        return resized(step)
    by_dimension = {d: window for d, window in zip(dimensions, windows, strict=True) if d is not None}
    return replace(
        resized(step), field=None if field is None else through_windows(field, by_dimension) if field.size else GLOBAL
    )


def _dimension(step: Step, index: int) -> int | None:
    """Returns which of the network's spatial dimensions an axis is; an axis of one cell is known by its place."""
    axes = step.axes or ()
    if step.before[index] == 1 and len(step.before) == step.rank + 2:
        return index - 2
    return whole_dimension(axes, index)


def _windows(step: Step, count: int) -> list[Window] | None:
    """Returns the kernel along each of the last axes; None where it does not move in even steps."""
    settings, before, after = step.settings, step.before[-count:], step.after[-count:]
    kernel, stride = each(settings["kernel_size"], count), each(settings.get("stride", 1), count)
    dilation, padding = each(settings.get("dilation", 1), count), settings.get("padding")
    if padding is None or isinstance(padding, str) or "same" in step.kind:
        # As much as gives the cells that there are, the rest at the end.
        needed = zip(before, after, kernel, stride, dilation, strict=False)
        around = tuple(max((n - 1) * s + (k - 1) * d + 1 - size, 0) // 2 for size, n, k, s, d in needed)
    else:
        around = each(padding, count)
    if any(len(values) != count for values in (kernel, stride, dilation, around)):
        return None
    if "transpose" in step.kind:
        if any(s != 1 for s in stride):
            return None  # how many cells an output sees depends on its place
        around = tuple((k - 1) * d - p for k, d, p in zip(kernel, dilation, around, strict=True))
    return [Window(*values) for values in zip(kernel, stride, dilation, around, after, strict=True)]


def pooled_to_size(step: Step) -> State:
    """Adaptive pooling: global where one cell is left, even windows where the sizes divide."""
    before, after, axes = step.before, step.after, step.axes or ()
    count = min(step.dimensions(step.rank), len(before))
    pooled = pick(step.settings.get("dim"), len(before)) or tuple(range(len(before) - count, len(before)))
    if len(after) < len(before) or all(after[index] == 1 for index in pooled):
        return reduced(step, pooled)
    if len(after) != len(before) or min(pooled) != len(before) - count:
        return unknown(step)
    if any(before[index] % after[index] for index in pooled):
        return resized(step)  # windows of different sizes
    steps = tuple(before[index] // after[index] for index in pooled)
    settings = {"kernel_size": steps, "stride": steps, "padding": 0}
    return windowed(replace(step, type="pool", settings=settings)) if not _same(axes, before, after) else keep(step)


def _same(axes: Axes, before: Shape, after: Shape) -> bool:
    return all(b == a for axis, b, a in zip(axes, before, after, strict=True) if is_place(axis))


def resized(step: Step) -> State:
    """Another number of cells along the same dimensions, each seeing we know not what."""
    before, after = step.before, step.after
    if len(before) != len(after):
        return unknown(step)
    axes: list[Axis] = []
    for index, (axis, size) in enumerate(zip(step.axes or (), after, strict=True)):
        if not is_place(axis) or before[index] == size:
            axes.append(axis if is_place(axis) else plain_axis(size))
            continue
        dimension = whole_dimension(step.axes or (), index)
        if dimension is None:
            return unknown(step)
        axes.append((Factor(dimension, size, 1),) if size > 1 else ())
    if not has_places(step.axes or ()) and len(after) == step.rank + 2:
        axes = list(image_axes(after))  # a single cell has grown
    return State(tuple(axes), lost(step.field))


def interpolated(step: Step) -> State:
    """Resizing: a window is known where it only leaves out cells."""
    before, after, mode = step.before, step.after, step.settings.get("mode", "nearest")
    if len(before) != len(after):
        return unknown(step)
    places = [index for index, axis in enumerate(step.axes or ()) if is_place(axis)]
    if all(before[index] == after[index] for index in places) and has_places(step.axes or ()):
        return keep(step)
    dimensions = {index: whole_dimension(step.axes or (), index) for index in places}
    even = all(before[index] % after[index] == 0 for index in places) and None not in dimensions.values()
    field = step.field
    if mode == "nearest" and places and even and field is not None and field.size:
        windows = {
            d: Window(1, before[index] // after[index], 1, 0, after[index])
            for index, d in dimensions.items()
            if d is not None
        }
        return State(resized(step).axes, through_windows(field, windows))  # every second cell, say
    return resized(step)


def folded_to_channels(step: Step) -> State:
    """Space to depth: a block of cells becomes the channels of one."""
    factor = step.settings.get("downscale_factor")
    if not isinstance(factor, int):
        return unknown(step)
    settings = {"kernel_size": (factor, factor), "stride": factor, "padding": 0}
    return windowed(replace(step, type="pool", settings=settings))
