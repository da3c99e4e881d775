"""Receptive fields through branches, strides, dilation, padding and pooling.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019. A cell i
of a feature map sees the input pixels [start + i·stride, start + i·stride + size − 1] in each dimension. A window of k
cells, d apart, moving s cells at a time over an input padded by p changes this to

    size' = size + (k − 1)·d·stride,   start' = start − p·stride,   stride' = stride·s.
"""

from __future__ import annotations

from dataclasses import replace

from explorer.inspection.anatomy import INPUT, Layer, ReceptiveField, Shape

_UNEVEN = ("transpose", "unpool", "fractional", "deform")
"""Words in types with a kernel that does not slide over its input in even steps."""

_SCATTERING = ("permute", "transpose", "movedim", "swapaxes", "flip", "roll", "rot90", "sort", "cumsum", "fft")
"""Words in types that move or mix cells even where the shape stays the same."""


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
        # A source that is not known comes from parameters alone (a table of positions, say) and sees no input.
        sources = [known[index] for index in layer.inputs if index in known]
        field = None
        if sources:
            known[layer.index] = field = _field(layer, sources, rank)
        filled.append(replace(layer, receptive_field=field))
    return tuple(filled)


def _field(layer: Layer, sources: list[ReceptiveField | None], rank: int) -> ReceptiveField | None:
    if not layer.output_shapes:
        return None
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    field = _union(sources)
    if field is None or len(before) != rank + 2 or len(after) != rank + 2:
        return None
    settings, kind = dict(layer.hyperparameters), layer.type.lower()
    if "kernel_size" in settings:
        uneven = any(word in kind for word in _UNEVEN)
        return None if uneven else _windowed(kind, field, settings, before[2:], after[2:])
    if kind == "slice":
        return _sliced(field, str(settings.get("index", "")), rank)
    if kind == "pad" or kind[:-2].endswith("pad"):  # ZeroPad2d
        return _padded(field, settings.get("pad", settings.get("padding")), rank)
    if any(shape[2:] != after[2:] for shape in layer.input_shapes if len(shape) == rank + 2):
        return None  # resized, pooled to a size, or broadcast from a single cell that sees everything
    dim = settings.get("dim")
    if isinstance(dim, int) and dim % (rank + 2) >= 2:
        return None
    # Multiplications without a known window mix cells: a matrix product, attention, a linear layer along the width.
    return None if layer.macs or any(word in kind for word in _SCATTERING) else field


def _union(sources: list[ReceptiveField | None]) -> ReceptiveField | None:
    """Returns the smallest field that covers those of all branches; None where their strides do not agree."""
    fields = [source for source in sources if source is not None]
    if len(fields) < len(sources) or len({field.stride for field in fields}) != 1:
        return None
    ends = [tuple(s + n for s, n in zip(field.start, field.size, strict=True)) for field in fields]
    start = tuple(map(min, zip(*(field.start for field in fields), strict=True)))
    end = tuple(map(max, zip(*ends, strict=True)))
    return ReceptiveField(tuple(e - s for e, s in zip(end, start, strict=True)), fields[0].stride, start)


def _windowed(
    kind: str, field: ReceptiveField, settings: dict[str, object], before: Shape, after: Shape
) -> ReceptiveField | None:
    rank = len(before)
    kernel, stride = _each(settings["kernel_size"], rank), _each(settings.get("stride", 1), rank)
    dilation, padding = _each(settings.get("dilation", 1), rank), settings.get("padding")
    if padding is None or isinstance(padding, str) or "same" in kind:
        # As much as gives the cells that there are, the rest at the end.
        needed = zip(before, after, kernel, stride, dilation, strict=False)
        around = tuple(max((n - 1) * s + (k - 1) * d + 1 - size, 0) // 2 for size, n, k, s, d in needed)
    else:
        around = _each(padding, rank)
    if any(len(values) != rank for values in (kernel, stride, dilation, around)):
        return None  # a window over other dimensions than the input's
    return ReceptiveField(
        tuple(z + (k - 1) * d * j for z, k, d, j in zip(field.size, kernel, dilation, field.stride, strict=True)),
        tuple(j * s for j, s in zip(field.stride, stride, strict=True)),
        tuple(a - p * j for a, p, j in zip(field.start, around, field.stride, strict=True)),
    )


def _padded(field: ReceptiveField, pad: object, rank: int) -> ReceptiveField | None:
    """Padding at the low end moves the start; torch lists the last dimension first, low end before high end."""
    if not isinstance(pad, tuple):
        return None
    lows = [int(low) for low in pad[: 2 * rank : 2]]
    lows += [0] * (rank - len(lows))
    starts = zip(field.start, reversed(lows), field.stride, strict=True)
    return replace(field, start=tuple(start - low * stride for start, low, stride in starts))


def _sliced(field: ReceptiveField, index: str, rank: int) -> ReceptiveField | None:
    """A slice `:, :, 1::2, ::2` starts later and takes larger steps."""
    parts = index.split(", ")
    parts += [":"] * (rank + 2 - len(parts))
    if "…" in parts:
        return None
    starts, strides = [], []
    for part, start, stride in zip(parts[2 : rank + 2], field.start, field.stride, strict=True):
        ends = part.split(":")
        if len(ends) < 2 or ends[0].startswith("-"):
            return None
        starts.append(start + int(ends[0] or 0) * stride)
        strides.append(stride * (int(ends[2]) if len(ends) > 2 and ends[2] else 1))
    return ReceptiveField(field.size, tuple(strides), tuple(starts))


def _each(value: object, rank: int) -> tuple[int, ...]:
    """Returns a size for each of `rank` dimensions, where one number stands for all."""
    sizes = tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),)  # type: ignore[call-overload]
    return sizes * rank if len(sizes) == 1 else sizes
