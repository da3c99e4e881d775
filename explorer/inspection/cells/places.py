"""Layers that move, cut, pad or join cells without mixing them."""

from __future__ import annotations

from explorer.inspection.anatomy import Shape
from explorer.inspection.cells.axes import (
    TOKENS,
    Axis,
    Factor,
    broadcast,
    has_places,
    is_place,
    plain_axis,
    reordered,
    reshaped,
    whole_dimension,
)
from explorer.inspection.cells.state import State, Step, pick, unknown
from explorer.inspection.field_arithmetic import Window, lost, through_windows


def view(step: Step) -> State:
    """Row-major views of another shape."""
    axes = reshaped(step.axes or (), step.after)
    return State(axes, step.field if axes is not None else lost(step.field))


def permuted(step: Step) -> State:
    """Axes in another order."""
    settings, axes = step.settings, step.axes or ()
    count = len(axes)
    order: list[int] | None = None
    if isinstance(dims := settings.get("dims"), tuple):
        order = list(dims)
    elif isinstance(one := settings.get("dim0"), int) and isinstance(other := settings.get("dim1"), int):
        order = list(range(count))
        order[one], order[other] = order[other], order[one]
    elif count == 2:
        order = [1, 0]
    after = reordered(axes, order) if order is not None else None
    return State(after, step.field if after is not None else lost(step.field))


def expanded(step: Step) -> State:
    """The same values along new axes."""
    axes = broadcast([state.axes or () for state, _ in step.sources], step.after)
    return State(axes, step.field if axes is not None else lost(step.field))


def sliced(step: Step) -> State:
    """A slice `:, :, 1::2, ::2` of cells starts later and takes larger steps."""
    parts = str(step.settings.get("index", "…")).split(", ")
    axes, before = step.axes or (), step.before
    named = sum(part not in ("None", "…") for part in parts)
    at = parts.index("…") if "…" in parts else len(parts)
    parts[at : at + 1] = [":"] * (len(before) - named)
    left: list[Axis] = []
    windows: dict[int, Window] = {}
    index = 0
    for part in parts:
        if part == "None":
            left.append(())
            continue
        if index >= len(before):
            return unknown(step)
        axis, size, ends = axes[index], before[index], part.split(":")
        index += 1
        if not is_place(axis):
            if len(ends) == 1 and not part.startswith("["):
                continue
            if len(left) >= len(step.after):
                return unknown(step)
            left.append(plain_axis(step.after[len(left)]))
            continue
        cells = range(size)[_slice(ends)] if 2 <= len(ends) <= 3 else None
        dimension = whole_dimension(axes, index - 1)
        if cells is None or (dimension is None and cells != range(size)):
            return unknown(step)
        if dimension is not None:
            windows[dimension] = Window(1, cells.step, 1, -cells.start, len(cells))
            axis = (Factor(dimension, len(cells), 1),) if len(cells) > 1 else ()
        left.append(axis)
    field = step.field
    if len(left) != len(step.after):
        return unknown(step)
    return State(tuple(left), field and through_windows(field, windows))


def _slice(ends: list[str]) -> slice:
    return slice(*(int(end) if end else None for end in ends))


def padded(step: Step) -> State:
    """Padding at the low end moves the start; torch lists the last dimension first, low end before high end."""
    pad, axes, field = step.settings.get("pad", step.settings.get("padding")), step.axes or (), step.field
    if not isinstance(pad, tuple):
        return unknown(step)
    left, windows = list(axes), {}
    for back in range(1, len(axes) + 1):
        low, high = pad[2 * back - 2 : 2 * back] if 2 * back <= len(pad) else (0, 0)
        size = step.after[-back]
        if not is_place(axes[-back]):
            left[-back] = plain_axis(size)
        elif low or high:
            dimension = whole_dimension(axes, len(axes) - back)
            if dimension is None:
                return unknown(step)
            windows[dimension] = Window(1, 1, 1, int(low), size)
            left[-back] = (Factor(dimension, size, 1),) if size > 1 else ()
    return State(tuple(left), field and through_windows(field, windows))


def joined(step: Step) -> State:
    """Concatenation along channels; along the tokens, it adds some that are no cells."""
    sources = [state.axes or () for state, _ in step.sources]
    dims = pick(step.settings.get("dim", 0), len(step.after))
    if not dims or any(len(axes) != len(step.after) for axes in sources):
        return unknown(step)
    along = dims[0]
    joined = [axes[along] for axes in sources]
    rest = broadcast([(*axes[:along], (), *axes[along + 1 :]) for axes in sources], _without(step.after, along))
    if rest is None:
        return unknown(step)
    field = step.field
    if not has_places(joined):
        return State((*rest[:along], plain_axis(step.after[along]), *rest[along + 1 :]), field)
    if has_places(rest):
        return unknown(step)
    return State((*rest[:along], (Factor(TOKENS, step.after[along], 1),), *rest[along + 1 :]), lost(field))


def _without(shape: Shape, index: int) -> Shape:
    return (*shape[:index], 1, *shape[index + 1 :])


def stacked(step: Step) -> State:
    """Tensors along a new axis."""
    at = pick(step.settings.get("dim", 0), len(step.after))
    if not at:
        return unknown(step)
    axes = broadcast([state.axes or () for state, _ in step.sources], step.after[: at[0]] + step.after[at[0] + 1 :])
    if axes is None:
        return unknown(step)
    return State((*axes[: at[0]], plain_axis(step.after[at[0]]), *axes[at[0] :]), step.field)


def split(step: Step) -> State:
    """Parts along an axis that is no place."""
    axes, before, after = step.axes or (), step.before, step.after
    if len(after) == len(before):
        cut = [index for index, (b, a) in enumerate(zip(before, after, strict=True)) if b != a]
        if any(is_place(axes[index]) for index in cut):
            return unknown(step)
        return State(tuple(plain_axis(a) if i in cut else axes[i] for i, a in enumerate(after)), step.field)
    removed = pick(step.settings.get("dim", 0), len(before))
    if len(after) != len(before) - 1 or not removed or is_place(axes[removed[0]]):
        return unknown(step)
    return State(axes[: removed[0]] + axes[removed[0] + 1 :], step.field)
