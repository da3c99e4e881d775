"""Receptive fields through branches, strides, dilation, padding and pooling.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019. A cell i
of a feature map sees the input pixels [start + i·stride, start + i·stride + size − 1] in each dimension. A window of k
cells, d apart, moving s cells at a time over an input padded by p changes this to

    size' = size + (k − 1)·d·stride,   start' = start − p·stride,   stride' = stride·s.
"""

from __future__ import annotations

from dataclasses import replace

from explorer.inspection.anatomy import INPUT, Layer, ReceptiveField, Shape


def receptive_fields(layers: tuple[Layer, ...], inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Returns the layers with their receptive fields filled in.

    Args:
        layers: in execution order.
        inputs: shapes of the network's inputs; the first tells how many spatial dimensions there are.
    """
    rank = len(inputs[0]) - 2 if inputs else 0
    if rank < 1:
        return layers
    known: dict[int, ReceptiveField | None] = {INPUT: ReceptiveField((1,) * rank, (1,) * rank, (0,) * rank)}
    filled = []
    for layer in layers:
        known[layer.index] = field = _field(layer, [known.get(index) for index in layer.inputs], rank)
        filled.append(replace(layer, receptive_field=field) if field is not None else layer)
    return tuple(filled)


def _field(layer: Layer, sources: list[ReceptiveField | None], rank: int) -> ReceptiveField | None:
    if not layer.output_shapes or not layer.input_shapes:
        return None
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    if len(before) != rank + 2 or len(after) != rank + 2:
        return None
    field = _union([source for source in sources if source is not None]) if None not in sources else None
    if field is None:
        return None
    settings = dict(layer.hyperparameters)
    if "kernel_size" in settings:
        return _windowed(layer, field, settings, before[2:], after[2:]) if "Transpose" not in layer.type else None
    if layer.type == "slice":
        return _sliced(field, str(settings.get("index", "")), rank)
    if layer.type == "pad":
        pad = settings.get("pad")
        if isinstance(pad, tuple) and len(pad) >= 2 * rank:
            # torch lists the last dimension first
            lows = [int(pad[2 * (rank - 1 - dimension)]) for dimension in range(rank)]
            starts = zip(field.start, lows, field.stride, strict=True)
            return replace(field, start=tuple(start - low * stride for start, low, stride in starts))
    if any(shape[2:] != after[2:] for shape in layer.input_shapes if len(shape) == rank + 2):
        return None  # resized, pooled to a size, or broadcast from a single cell that sees everything
    return field if layer.type not in ("matmul", "bmm", "einsum") else None


def _union(fields: list[ReceptiveField]) -> ReceptiveField | None:
    """Returns the smallest field that covers those of all branches; None where their strides do not agree."""
    if not fields or len({field.stride for field in fields}) != 1:
        return None
    ends = [tuple(s + n for s, n in zip(field.start, field.size, strict=True)) for field in fields]
    start = tuple(map(min, zip(*(field.start for field in fields), strict=True)))
    end = tuple(map(max, zip(*ends, strict=True)))
    return ReceptiveField(tuple(e - s for e, s in zip(end, start, strict=True)), fields[0].stride, start)


def _windowed(
    layer: Layer, field: ReceptiveField, settings: dict[str, object], before: Shape, after: Shape
) -> ReceptiveField | None:
    rank = len(before)
    kernel, stride = _each(settings["kernel_size"], rank), _each(settings.get("stride", 1), rank)
    dilation = _each(settings.get("dilation", 1), rank)
    padding = settings.get("padding", 0)
    if (
        isinstance(padding, str) or "Same" in layer.type
    ):  # as much as keeps ceil(size / stride) cells, the rest at the end
        needed = zip(before, after, kernel, stride, dilation, strict=True)
        around = tuple(max((n - 1) * s + (k - 1) * d + 1 - size, 0) // 2 for size, n, k, s, d in needed)
    else:
        around = _each(padding, rank)
    return ReceptiveField(
        tuple(z + (k - 1) * d * j for z, k, d, j in zip(field.size, kernel, dilation, field.stride, strict=True)),
        tuple(j * s for j, s in zip(field.stride, stride, strict=True)),
        tuple(a - p * j for a, p, j in zip(field.start, around, field.stride, strict=True)),
    )


def _sliced(field: ReceptiveField, index: str, rank: int) -> ReceptiveField | None:
    """A slice `:, :, 1::2, ::2` starts later and takes larger steps."""
    parts = index.split(", ")
    if len(parts) < rank + 2:
        return field if "…" not in parts and not any(part.lstrip("-").isdigit() for part in parts) else None
    starts, strides = [], []
    for part, start, stride in zip(parts[2:], field.start, field.stride, strict=True):
        ends = part.split(":")
        if len(ends) < 2 or ends[0].startswith("-"):
            return None
        starts.append(start + int(ends[0] or 0) * stride)
        strides.append(stride * (int(ends[2]) if len(ends) > 2 and ends[2] else 1))
    return ReceptiveField(field.size, tuple(strides), tuple(starts))


def _each(value: object, rank: int) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * rank  # type: ignore[call-overload]
