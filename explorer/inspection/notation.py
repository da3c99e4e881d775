"""How the field writes a layer in short: `3×3 /2, 64`, and which kind of layer it is."""

from __future__ import annotations

from enum import StrEnum

from explorer.inspection.anatomy import Layer


class Kind(StrEnum):
    """What a node of the graph is: decides its colour. The values are the words of the legend."""

    INPUT = "input, output"
    CONVOLUTION = "convolution"
    LINEAR = "linear"
    NORMALISATION = "normalisation"
    ACTIVATION = "activation"
    POOLING = "pooling, resampling"
    MERGE = "add, concatenate"
    ATTENTION = "multiply, attention"
    REGULARISATION = "dropout, identity"
    RESHAPE = "reshape"
    OTHER = "other"
    GROUP = "group"
    FAILURE = "failure"


_WORDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind.POOLING, ("pool", "upsampl", "interpolate", "resize")),
    (Kind.NORMALISATION, ("norm", "lrn", "frozenbn")),
    (Kind.REGULARISATION, ("drop", "identity", "stochasticdepth")),
    (Kind.ATTENTION, ("attention",)),
    (Kind.CONVOLUTION, ("conv",)),
    (Kind.LINEAR, ("linear", "dense", "addmm", "embedding")),
    (Kind.ACTIVATION, ("elu", "lu6", "sigmoid", "swish", "mish", "tanh", "softmax", "softplus", "shrink", "glu")),
    (Kind.RESHAPE, ("flatten", "reshape", "permute", "transpose", "squeeze", "shuffle", "expand", "split", "pad")),
)
"""A type belongs to the first kind of which its name holds a word: `UpsamplingBilinear2d` is no linear layer."""

_NAMES: dict[str, Kind] = {
    **dict.fromkeys(("add", "iadd", "radd", "sub", "cat", "concat", "concatenate", "stack", "sum"), Kind.MERGE),
    **dict.fromkeys(("mul", "imul", "rmul", "div", "truediv", "matmul", "bmm", "einsum", "baddbmm"), Kind.ATTENTION),
    **dict.fromkeys(("mean", "amax"), Kind.POOLING),
    **dict.fromkeys(("view", "chunk", "slice", "contiguous", "unbind", "roll", "t", "narrow", "repeat"), Kind.RESHAPE),
    **dict.fromkeys(("relu", "relu6", "silu", "hardsigmoid"), Kind.ACTIVATION),
}


def kind_of(type_name: str) -> Kind:
    """Returns the kind of a layer from its class or operation name, `Conv2d` or `add`."""
    name = type_name.lower().strip("_")
    if name in _NAMES:
        return _NAMES[name]
    for kind, words in _WORDS:
        if any(word in name for word in words):
            return kind
    return Kind.OTHER


def hyperparameter_text(layer: Layer) -> str:
    """Returns the hyperparameters that tell this layer from others of its type, as papers write them.

    Convolutions read `3×3 /2, 64` (kernel, stride, output channels), linear layers `2048 → 1000`; empty where the
    type says it all.
    """
    values = dict(layer.hyperparameters)
    kind = kind_of(layer.type)
    if kind is Kind.CONVOLUTION:
        return _convolution_text(layer, values)
    if kind is Kind.POOLING:
        if "output_size" in values:
            return f"→ {_sizes(values['output_size'])}"
        return _window_text(values)
    if kind is Kind.LINEAR and layer.input_shapes and layer.output_shapes:
        return f"{_last(layer.input_shapes[0])} → {_last(layer.output_shapes[0])}"
    if "p" in values:
        return f"p = {values['p']}"
    if "negative_slope" in values:
        return f"slope {values['negative_slope']}"
    if "num_groups" in values:
        return f"{values['num_groups']} groups"
    return ""


def count_text(count: int) -> str:
    """Returns a count in three digits: `215,808` becomes `216 k`."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            value = count / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return str(count)


def _convolution_text(layer: Layer, values: dict[str, object]) -> str:
    parts = [_window_text(values)]
    channels = layer.output_shapes[0][1] if layer.output_shapes and len(layer.output_shapes[0]) > 1 else None
    if channels is not None:
        parts.append(str(channels))
    groups, entering = values.get("groups", 1), layer.input_shapes[0][1:2] if layer.input_shapes else ()
    if isinstance(groups, int) and groups > 1:
        parts.append("depthwise" if (groups,) == entering else f"{groups} groups")
    dilation = _same(values.get("dilation", 1))
    if dilation not in (1, "1"):
        parts.append(f"dilation {dilation}")
    return ", ".join(part for part in parts if part)


def _window_text(values: dict[str, object]) -> str:
    """Kernel and stride: `3×3 /2`; the stride is left out where it is 1."""
    if "kernel_size" not in values:
        return f"×{_same(values['scale_factor'])}" if values.get("scale_factor") else ""
    kernel = _sizes(values["kernel_size"])
    stride = _same(values.get("stride", 1))
    return kernel if stride in (1, None, "1") else f"{kernel} /{stride}"


def _sizes(value: object) -> str:
    """`(3, 5)` as `3×5`, and the square that a single number stands for."""
    if isinstance(value, tuple | list):
        return "×".join("·" if size is None else str(size) for size in value) if len(value) > 1 else str(value[0])
    return f"{value}×{value}"


def _same(value: object) -> object:
    """One number for `(2, 2)`, `2×1` for `(2, 1)`."""
    if isinstance(value, tuple | list):
        return value[0] if len(set(value)) == 1 else "×".join(map(str, value))
    return value


def _last(shape: tuple[int, ...]) -> int:
    return shape[-1] if shape else 1
