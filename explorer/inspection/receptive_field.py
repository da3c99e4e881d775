"""Receptive fields of all layers of a network, along its edges.

What mixes all cells (global pooling, a linear layer over a flattened map, attention over all tokens, the statistics of
a group normalisation) sees the whole input. What is multiplied with it or added to it does too, and keeps the window of
its convolutions. Where no single window describes the cells (branches of different strides, windowed attention, resized
maps) none is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from explorer.inspection.anatomy import INPUT, Layer, Shape
from explorer.inspection.cells.axes import fitted, image_axes
from explorer.inspection.cells.rules import CONSTANTS, passed_on
from explorer.inspection.cells.state import State, Step
from explorer.inspection.field_arithmetic import input_field


def receptive_fields(layers: tuple[Layer, ...], inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Returns the layers with their receptive fields filled in.

    Args:
        layers: in execution order.
        inputs: shapes of the network's inputs; the first tells how many spatial dimensions there are.
    """
    rank = len(inputs[0]) - 2 if inputs else 0
    if rank < 1:
        return layers
    known = {INPUT: State(image_axes(inputs[0]), input_field(inputs[0][2:]))}
    filled = []
    for layer in layers:
        # A source that is not known comes from parameters alone (a table of positions, say) and sees no input.
        sources = list(_sources(layer, known))
        field = None
        if sources and layer.output_shapes and layer.type not in CONSTANTS:
            settings = dict(layer.hyperparameters)
            step = Step(layer.type, settings, tuple(sources), layer.output_shapes[0], layer.macs, inputs[0][2:])
            known[layer.index] = state = passed_on(step)
            field = state.field
        filled.append(replace(layer, receptive_field=field))
    return tuple(filled)


def _sources(layer: Layer, known: Mapping[int, State]) -> Iterator[tuple[State, Shape]]:
    """Yields what is known of each argument, with its shape."""
    feeding, shapes = layer.inputs, layer.input_shapes
    if len(feeding) == 1:
        feeding *= len(shapes)  # several outputs of one layer, or the same one twice
    if len(feeding) == len(shapes):
        for index, shape in zip(feeding, shapes, strict=True):
            if index in known:
                yield _fitted(known[index], shape), shape
        return
    for state in (known[index] for index in feeding if index in known):
        shape = next((shape for shape in shapes if fitted(state.axes, shape) is not None), ())
        yield _fitted(state, shape), shape


def _fitted(state: State, shape: Shape) -> State:
    return State(fitted(state.axes, shape), state.field)
