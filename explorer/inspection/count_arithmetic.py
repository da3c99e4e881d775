"""How a layer's parameters and MACs come about: `7·7·3·64 = 9,408`, `9,408·112·112 = 118,013,952`.

A formula stands only where its result is the number that the inspection counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from explorer.inspection.anatomy import Layer
from explorer.inspection.shape_arithmetic import Formula, number, product

_Term = tuple[str, int]
"""A formula and its value."""


def explain_counts(layer: Layer) -> tuple[Formula, ...]:
    """Returns the arithmetic behind a layer's parameters and MACs, as far as its rule is known."""
    if not layer.executed or not layer.input_shapes or not layer.output_shapes:
        return ()
    found = []
    if layer.params:
        found += _first("Parameters", _parameter_terms(layer), layer.params)
    if layer.macs:
        found += _first("MACs", _mac_terms(layer), layer.macs)
    return tuple(found)


def _first(what: str, terms: Iterator[_Term], value: int) -> list[Formula]:
    return [Formula(what, f"{text} = {number(value)}") for text, result in terms if result == value][:1]


def _parameter_terms(layer: Layer) -> Iterator[_Term]:
    factors = _weight_factors(layer)
    if factors:
        text, weights = factors
        yield text, weights
        outputs = _outputs(layer)
        yield f"{text} + {number(outputs)}", weights + outputs  # one bias each
        yield f"{text} + 2·{number(outputs)}", weights + 2 * outputs  # a bias and a gain each
    if "norm" in layer.type.lower():
        yield from _scale_and_shift(layer)


def _scale_and_shift(layer: Layer) -> Iterator[_Term]:
    settings = dict(layer.hyperparameters)
    shape = settings.get("normalized_shape", settings.get("num_features", settings.get("num_channels")))
    sizes = tuple(shape) if isinstance(shape, tuple) else (shape,) if isinstance(shape, int) else ()
    if not sizes and len(layer.output_shapes[0]) > 1:
        sizes = (layer.output_shapes[0][1],)
    if sizes:
        yield f"2·{product(sizes)}", 2 * math.prod(sizes)
        yield product(sizes), math.prod(sizes)


def _outputs(layer: Layer) -> int:
    """Returns the output channels of a convolution, the output features of a linear layer."""
    after = layer.output_shapes[0]
    return after[-1] if _is_linear(layer) else after[-len(_kernel(layer)) - 1]


def _weight_factors(layer: Layer) -> _Term | None:
    """Returns the number of weights: kernel, inputs a group, outputs."""
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    if _is_linear(layer):
        return product((before[-1], after[-1])), before[-1] * after[-1]
    kernel = _kernel(layer)
    if "conv" not in layer.type.lower() or not kernel or not len(kernel) < len(before) == len(after):
        return None
    groups = dict(layer.hyperparameters).get("groups", 1)
    groups = groups if isinstance(groups, int) else 1
    entering, leaving = before[-len(kernel) - 1], after[-len(kernel) - 1]
    inputs = number(entering) if groups == 1 else f"({number(entering)}/{number(groups)})"
    weights = math.prod(kernel) * (entering // groups) * leaving
    return f"{product(kernel)}·{inputs}·{number(leaving)}", weights


def _mac_terms(layer: Layer) -> Iterator[_Term]:
    weights = _weight_factors(layer)
    before, after = layer.input_shapes[0], layer.output_shapes[0]
    if weights:
        # Every weight is used at each cell of the output; of the input, where the kernel spreads each of its cells.
        shape = before if "transpose" in layer.type.lower() else after
        rows = shape[:-1] if _is_linear(layer) else (*shape[: -len(_kernel(layer)) - 1], *shape[-len(_kernel(layer)) :])
        text, cells = weights[0], [size for size in rows if size > 1]
        if layer.params == weights[1] and cells:
            text = number(layer.params)  # the line above says how many
        yield "·".join((text, *map(number, cells))), weights[1] * math.prod(cells)
    name = layer.type.lower()
    if name in ("matmul", "bmm", "baddbmm", "mm", "addmm"):
        yield _times(before[-1], after)
        yield _times(before[-2] if len(before) > 1 else 1, after)
    elif name == "scaled_dot_product_attention" and len(layer.input_shapes) > 1:
        keys, values = layer.input_shapes[1][-2], layer.output_shapes[0][-1]
        text, pairs = _times(keys, before[:-1])
        yield f"{text}·({number(before[-1])} + {number(values)})", pairs * (before[-1] + values)
    elif "multi_head_attention" in name and len(before) == 3:
        tokens, batch, width = before
        text = f"{batch}·(4·{tokens}·{width}·{width} + 2·{tokens}·{tokens}·{width})"
        yield text, batch * (4 * tokens * width * width + 2 * tokens * tokens * width)
    elif layer.params and layer.macs % layer.params == 0:
        yield _times(layer.params, (layer.macs // layer.params,))


def _times(value: int, sizes: Sequence[int]) -> _Term:
    return product((value, *(size for size in sizes if size > 1))), value * math.prod(sizes)


def _is_linear(layer: Layer) -> bool:
    return layer.type.lower().endswith("linear")


def _kernel(layer: Layer) -> tuple[int, ...]:
    kernel = dict(layer.hyperparameters).get("kernel_size", ())
    return tuple(kernel) if isinstance(kernel, tuple) else ()
