"""What part a layer plays in its network, whatever its author called it."""

from __future__ import annotations

import math
import re

from explorer.inspection.anatomy import Layer

_DIMENSIONS = re.compile(r"[123]d")
_SYNONYMS = {"swish": "silu", "multiply": "mul", "subtract": "sub"}
_ORDERLESS = ("add", "mul")


def is_placeholder(layer: Layer) -> bool:
    """Returns whether a layer does nothing: an `Identity` where another variant of the network has something."""
    return layer.type == "Identity" and not (layer.params or layer.macs or layer.activation_bytes)


def role(layer: Layer) -> str:
    """Returns what a layer does, the same for a module and the operation it stands for.

    `BatchNorm2d` and `batch_norm` are both `batchnorm`; an adaptive pooling to 1×1 and a mean over the image are both
    `globalavgpool`; a `view` that leaves one dimension is a `flatten`.
    """
    name = _DIMENSIONS.sub("", layer.type.lower().replace("_", "")).removesuffix("same")
    entering = layer.input_shapes[0] if layer.input_shapes else ()
    leaving = layer.output_shapes[0] if layer.output_shapes else ()
    if len(entering) > 2:
        pooled = leaving[:2] == entering[:2] and math.prod(leaving[2:]) == 1
        if pooled and name in ("mean", "avgpool", "adaptiveavgpool"):
            return "globalavgpool"
        if len(leaving) == 2 and name in ("view", "reshape"):
            return "flatten"
    return _SYNONYMS.get(name, name)


def input_shapes(layer: Layer) -> tuple[tuple[int, ...], ...]:
    """Returns the shapes of a layer's inputs, in an order of their own where theirs makes no difference."""
    return tuple(sorted(layer.input_shapes)) if role(layer) in _ORDERLESS else layer.input_shapes


def plain(value: object) -> object:
    """Returns one number for a tuple of equal ones: a kernel of 3 and one of (3, 3) are the same."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
