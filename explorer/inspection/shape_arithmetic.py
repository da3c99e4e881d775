"""Why an output has the shape it has: each layer's own rule with its own numbers, `⌊(224 + 2·3 − 7)/2⌋ + 1 = 112`.

The rules are those of PyTorch's documentation of `Conv2d`, `MaxPool2d` and `ConvTranspose2d`; Dumoulin and Visin, "A
guide to convolution arithmetic for deep learning", 2016, derives them. A rule whose result is not the size that the
network really gave is left out: no formula is better than a wrong one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from explorer.inspection.anatomy import Layer, Shape

_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
_DIGIT = re.compile(r"([123])d")
_VIEWS = ("flatten", "view", "reshape")
_ELEMENTWISE = ("add", "sub", "mul", "div", "iadd", "imul")


@dataclass(frozen=True, slots=True)
class Formula:
    """One number of a layer and how it comes about."""

    what: str
    """`Height and width`, `Channels`, `Parameters`."""
    text: str
    """The rule with numbers and, after the last `=` or `→`, its result: `2·3 = 6`."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One spatial dimension of a layer."""

    before: int
    after: int
    text: str
    """The rule without its result; empty where there is none."""


def explain_shape(layer: Layer) -> tuple[Formula, ...]:
    """Returns the arithmetic behind a layer's output shape; empty where nothing changes or no rule is known."""
    if not layer.executed or not layer.input_shapes or not layer.output_shapes:
        return ()
    return tuple(_rule(layer)(layer))


def number(value: int) -> str:
    """Returns a number as formulas show it: `25,088`."""
    return f"{value:,}"


def product(factors: Iterable[int]) -> str:
    """Returns `512·7·7`."""
    return "·".join(map(number, factors)) or "1"


def _rule(layer: Layer) -> Callable[[Layer], Iterator[Formula]]:
    kind, settings = _kind(layer), dict(layer.hyperparameters)
    if "kernel_size" in settings and "unfold" not in kind and "unpool" not in kind:
        return _windowed
    if "adaptive" in kind or "globalpool" in kind:
        return _adaptive
    if any(word in kind for word in ("interpolate", "upsample", "resize")):
        return _interpolated
    if "pixelshuffle" in kind or "pixelunshuffle" in kind:
        return _pixels_shuffled
    if kind.endswith("linear") and kind != "bilinear":
        return _linear
    if kind == "pad" or kind[:-2].endswith("pad"):
        return _padded
    return _BY_NAME.get(kind, _nothing)


def _kind(layer: Layer) -> str:
    return layer.type.lower().replace("_", "")


def _nothing(layer: Layer) -> Iterator[Formula]:
    yield from ()


# -- windows -------------------------------------------------------------------------------------------------------


def _windowed(layer: Layer) -> Iterator[Formula]:
    settings, before, after = dict(layer.hyperparameters), layer.input_shapes[0], layer.output_shapes[0]
    kernel = settings["kernel_size"]
    found = _DIGIT.search(layer.type)
    count = len(kernel) if isinstance(kernel, tuple) else int(found[1]) if found else len(before) - 2
    if len(before) != len(after) or not 1 <= count < len(before):
        return
    names = ("kernel_size", "stride", "dilation", "output_padding")
    defaults = (1, 1, 1, 0)
    values = [_each(settings.get(name, default), count) for name, default in zip(names, defaults, strict=True)]
    padding = settings.get("padding", 0)
    same = padding == "same" or "same" in _kind(layer)
    around = _each(0 if isinstance(padding, str) else padding, count)
    if any(len(each) != count for each in (*values, around)):
        return
    rule = _transposed if "transpose" in _kind(layer) else _ceiled if settings.get("ceil_mode") else _floored
    sides = []
    for n, out, k, s, d, extra, p in zip(before[-count:], after[-count:], *values, around, strict=True):
        text, result = _same_padded(n, s) if same else rule(n, k, s, d, p, extra)
        if result - 1 == out and rule is _ceiled:
            text, result = f"{text} − 1", out  # a last window that would start in the padding is dropped
        sides.append(_Side(n, out, text if result == out else ""))
    yield from _sides_shown(sides)


def _floored(n: int, k: int, s: int, d: int, p: int, extra: int) -> tuple[str, int]:
    text, reach = _reach(n, k, d, p)
    return f"{text} + 1" if s == 1 else f"⌊({text})/{s}⌋ + 1", reach // s + 1


def _ceiled(n: int, k: int, s: int, d: int, p: int, extra: int) -> tuple[str, int]:
    text, reach = _reach(n, k, d, p)
    return f"⌈({text})/{s}⌉ + 1", -(-reach // s) + 1


def _transposed(n: int, k: int, s: int, d: int, p: int, extra: int) -> tuple[str, int]:
    window = f" + {k}" if d == 1 else f" + {d}·({k} − 1) + 1"
    text = f"({number(n)} − 1)·{s}{f' − 2·{p}' if p else ''}{window}{f' + {extra}' if extra else ''}"
    return text, (n - 1) * s - 2 * p + d * (k - 1) + 1 + extra


def _same_padded(n: int, s: int) -> tuple[str, int]:
    return (f"⌈{number(n)}/{s}⌉" if s > 1 else number(n)), -(-n // s)


def _reach(n: int, k: int, d: int, p: int) -> tuple[str, int]:
    """Returns how far the window can move."""
    text = f"{number(n)}{_around(p)}" + (f" − {k}" if d == 1 else f" − {d}·({k} − 1) − 1")
    return text, n + 2 * p - d * (k - 1) - 1


def _around(p: int) -> str:
    return f" + 2·{p}" if p else ""


def _adaptive(layer: Layer) -> Iterator[Formula]:
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    settings = dict(layer.hyperparameters)
    dims = settings.get("dim")
    found = _DIGIT.search(layer.type)
    count = int(found[1]) if found else len(before) - 2
    pooled = tuple(dims) if isinstance(dims, tuple) else tuple(range(len(before) - count, len(before)))
    cells = [before[index] for index in pooled]
    if len(after) < len(before) or all(after[index] == 1 for index in pooled):
        yield Formula("Cells", f"all {product(cells)} → 1")
        return
    sides = []
    for index in pooled:
        n, out = before[index], after[index]
        sides.append(_Side(n, out, f"{number(n)}/{n // out}" if n % out == 0 else f"output_size: {number(n)} → {out}"))
    yield from _sides_shown(sides)


def _interpolated(layer: Layer) -> Iterator[Formula]:
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    scale = dict(layer.hyperparameters).get("scale_factor")
    sides = []
    for index, (n, out) in enumerate(zip(before[2:], after[2:], strict=False)):
        factor = scale[index] if isinstance(scale, tuple) and index < len(scale) else scale
        text = f"output_size: {number(n)} → {number(out)}"
        if isinstance(factor, int | float) and math.floor(n * factor) == out:
            text = f"⌊{number(n)}·{factor:g}⌋" if factor % 1 else f"{number(n)}·{factor:g}"
        sides.append(_Side(n, out, text))
    yield from _sides_shown(sides)


def _pixels_shuffled(layer: Layer) -> Iterator[Formula]:
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    if len(before) < 3 or len(before) != len(after):
        return
    if after[-1] >= before[-1]:
        r = after[-1] // before[-1]
        yield Formula("Channels", f"{number(before[-3])}/({r}·{r}) = {number(after[-3])}")
        yield from _sides_shown(
            [_Side(n, out, f"{number(n)}·{r}") for n, out in zip(before[-2:], after[-2:], strict=True)]
        )
    else:
        r = before[-1] // after[-1]
        yield Formula("Channels", f"{number(before[-3])}·{r}·{r} = {number(after[-3])}")
        yield from _sides_shown(
            [_Side(n, out, f"{number(n)}/{r}") for n, out in zip(before[-2:], after[-2:], strict=True)]
        )


def _sides_shown(sides: Sequence[_Side]) -> Iterator[Formula]:
    """Yields one line where all dimensions are alike, else one each."""
    names = _NAMES.get(len(sides), ())
    if not names:
        return
    grouped = [(side, [name for name, other in zip(names, sides, strict=True) if other == side]) for side in sides]
    for side, shared in dict.fromkeys((side, tuple(names)) for side, names in grouped):
        text = side.text if "→" in side.text else f"{side.text} = {number(side.after)}"
        if side.text and (side.text != number(side.after) or side.before == side.after):
            yield Formula(_listed(shared), text)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))).capitalize()


# -- channels and features -----------------------------------------------------------------------------------------


def _linear(layer: Layer) -> Iterator[Formula]:
    yield Formula("Features", f"{number(layer.input_shapes[0][-1])} → {number(layer.output_shapes[0][-1])}")


def _joined(layer: Layer) -> Iterator[Formula]:
    after, dim = layer.output_shapes[0], dict(layer.hyperparameters).get("dim", 0)
    if not isinstance(dim, int) or any(len(shape) != len(after) for shape in layer.input_shapes):
        return
    sizes = [shape[dim] for shape in layer.input_shapes]
    if sum(sizes) < after[dim]:
        sizes.append(after[dim] - sum(sizes))  # from a parameter, as a class token is
    terms = [(len(list(run)), size) for size, run in groupby(sizes)]
    text = " + ".join(number(size) if times == 1 else f"{times}·{number(size)}" for times, size in terms)
    yield Formula(_axis_name(layer, dim), f"{text} = {number(after[dim])}")


def _viewed(layer: Layer) -> Iterator[Formula]:
    """Each axis of the output that joins several of the input."""
    before, after = list(layer.input_shapes[0]), list(layer.output_shapes[0])
    while before and after:
        left, right = [before.pop(0)], [after.pop(0)]
        while math.prod(left) != math.prod(right):
            if math.prod(left) < math.prod(right) and before:
                left.append(before.pop(0))
            elif math.prod(right) < math.prod(left) and after:
                right.append(after.pop(0))
            else:
                return
        while right == [1] and before[:1] == [1]:
            before.pop(0)
        if len(left) == 1 and not after and before and set(before) == {1}:
            left += before  # (C, 1, 1)
        if len(left) > 1 and len(right) == 1:
            yield Formula("Joined", f"{product(left)} = {number(right[0])}")
        elif len(left) == 1 and len(right) > 1 and set(right) - {1, left[0]}:
            yield Formula("Split", f"{number(left[0])} → {'×'.join(map(number, right))}")


def _reduced(layer: Layer) -> Iterator[Formula]:
    before, dims = layer.input_shapes[0], dict(layer.hyperparameters).get("dim")
    chosen = dims if isinstance(dims, tuple) else (dims,) if isinstance(dims, int) else ()
    if chosen and len(layer.input_shapes) == 1 and all(-len(before) <= dim < len(before) for dim in chosen):
        yield Formula("Cells", f"all {product(before[dim] for dim in chosen)} → 1")


def _multiplied(layer: Layer) -> Iterator[Formula]:
    after = layer.output_shapes[0]
    if len(layer.input_shapes) == 2 and min(map(len, (after, *layer.input_shapes))) > 1:
        first, second = (f"({number(shape[-2])}×{number(shape[-1])})" for shape in layer.input_shapes)
        yield Formula("Matrices", f"{first}·{second} → {number(after[-2])}×{number(after[-1])}")


def _broadcast(layer: Layer) -> Iterator[Formula]:
    after = layer.output_shapes[0]
    small = [shape for shape in dict.fromkeys(layer.input_shapes) if shape != after]
    for shape in small:
        yield Formula("Repeated", f"{_times(shape)} → {_times(after)}")


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape[1:])) if len(shape) > 1 else "×".join(map(str, shape)) or "scalar"


def _padded(layer: Layer) -> Iterator[Formula]:
    settings = dict(layer.hyperparameters)
    pad, before, after = settings.get("pad", settings.get("padding")), layer.input_shapes[0], layer.output_shapes[0]
    if not isinstance(pad, tuple) or len(before) != len(after):
        return
    for back in range(len(pad) // 2, 0, -1):
        low, high = pad[2 * back - 2 : 2 * back]
        if low or high:
            text = f"{number(before[-back])}{_signed(low)}{_signed(high)} = {number(after[-back])}"
            yield Formula(_axis_name(layer, -back), text)


def _signed(value: int) -> str:
    return "" if not value else f" + {value}" if value > 0 else f" − {-value}"


def _split(layer: Layer) -> Iterator[Formula]:
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    cut = [index for index, (b, a) in enumerate(zip(before, after, strict=False)) if b != a]
    if len(before) != len(after) or len(cut) != 1:
        return
    dim = cut[0]
    sizes = [shape[dim] for shape in layer.output_shapes]
    if sum(sizes) == before[dim]:
        text = f"{number(before[dim])} → {' + '.join(map(number, sizes))}"
        if len(set(sizes)) == 1:
            text = f"{number(before[dim])}/{len(sizes)} = {number(sizes[0])}"
        yield Formula(_axis_name(layer, dim), text)


def _sliced(layer: Layer) -> Iterator[Formula]:
    """What a slice by start, end and step leaves: `⌈(56 − 1)/2⌉ = 28`."""
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    parts = str(dict(layer.hyperparameters).get("index", "…")).split(", ")
    if "…" in parts or "None" in parts or len(parts) > len(before):
        return
    at = 0
    for index, part in enumerate(parts):
        ends = part.split(":")
        if len(ends) < 2:
            at += part.startswith("[")
            continue
        size = before[index]
        cells = range(size)[slice(*(int(end) if end else None for end in ends))]
        if part != ":" and at < len(after) and len(cells) == after[at] != size:
            span = f"{number(cells.stop)} − {number(cells.start)}" if cells.start else number(cells.stop)
            text = f"⌈{f'({span})' if cells.start else span}/{cells.step}⌉" if cells.step > 1 else span
            text = f"{text} = " if cells.start or cells.step > 1 else f"{number(size)} → "
            yield Formula(_axis_name(layer, at), f"{text}{number(len(cells))}")
        at += 1


def _axis_name(layer: Layer, dim: int) -> str:
    """Returns what an axis is, as far as shape and receptive field tell whether channels come first or last."""
    shape = layer.output_shapes[0]
    cells = layer.receptive_field.cells if layer.receptive_field is not None else ()
    rank, dim = len(shape), dim % len(shape)
    names = ["Batch", "Channels", *(name.capitalize() for name in _NAMES.get(rank - 2, ()))]
    if len(cells) == rank - 2 and shape[1:-1] == cells != shape[2:]:
        names.append(names.pop(1))
    elif shape[2:] != cells and (rank < 4 or dim > 1):
        names = []
    return names[dim] if dim < len(names) else f"Axis {dim}"


def _each(value: object, count: int) -> tuple[int, ...]:
    sizes = tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),)  # type: ignore[call-overload]
    return sizes * count if len(sizes) == 1 else sizes


_BY_NAME: dict[str, Callable[[Layer], Iterator[Formula]]] = {
    **dict.fromkeys(_VIEWS, _viewed),
    **dict.fromkeys(_ELEMENTWISE, _broadcast),
    **dict.fromkeys(("chunk", "split", "tensorsplit"), _split),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduced),
    **dict.fromkeys(("matmul", "bmm"), _multiplied),
    "cat": _joined,
    "slice": _sliced,
}
