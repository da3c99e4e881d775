"""Layers that work on each element by itself, or on those at the same place of several tensors."""

from __future__ import annotations

from torch import nn

from explorer.inspection.cells.axes import broadcast, has_places, is_place
from explorer.inspection.cells.state import State, Step, pick, unknown
from explorer.inspection.field_arithmetic import GLOBAL, lost, union
from explorer.inspection.notation import Kind, kind_of

_SCATTERING = ("flip", "roll", "rot90", "sort", "cumsum", "cumprod", "fft", "gather", "scatter", "gridsample", "assign")
"""Words in types that move or mix cells even where the shape stays the same."""
_POINTWISE = (Kind.ACTIVATION, Kind.NORMALISATION, Kind.REGULARISATION)
_SCALES = ("scale", "affine", "frozen")
"""Words in types of modules that multiply by a parameter."""


def elementwise(step: Step) -> State:
    """Activations, sums and products; whatever keeps its shape and is known as nothing else."""
    axes = broadcast([state.axes or () for state, _ in step.sources], step.after)
    if axes is None:
        return unknown(step)
    dims = pick(step.settings.get("dim"), len(axes))
    # Multiplications without a known window mix cells.
    if step.macs or any(word in step.kind for word in _SCATTERING) or any(is_place(axes[dim]) for dim in dims):
        moved = pick(step.settings.get("dims"), len(axes))
        if step.macs or not moved or any(is_place(axes[dim]) for dim in moved):
            return State(axes, lost(step.field))
    if not _is_pointwise(step.type):
        return State(axes, lost(step.field))
    placed = has_places(axes)
    # What was one cell is all cells to each of those that it is spread over.
    fields = [
        GLOBAL if placed and state.field is not None and not has_places(state.axes or ()) else state.field
        for state, _ in step.sources
    ]
    return State(axes, union(fields))


def _is_pointwise(type_name: str) -> bool:
    """Returns whether a type is known to work on each cell by itself: what a module of one's own does is unseen."""
    if type_name.islower() or hasattr(nn, type_name):
        return True
    name = type_name.lower()
    known = kind_of(type_name) in _POINTWISE and "softmax" not in name
    return known or any(word in name for word in _SCALES)
