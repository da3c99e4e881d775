"""A layer's hyperparameters as plain values, from a module's attributes or an operation's arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

Hyperparameters = tuple[tuple[str, object], ...]

_PER_DIMENSION = ("kernel_size", "stride", "padding", "dilation", "output_padding")
_DEFAULTS: Mapping[str, tuple[object, ...]] = {
    "dilation": (1, (1,), (1, 1), (1, 1, 1)),
    "groups": (1,),
    "output_padding": (0, (0,), (0, 0), (0, 0, 0)),
    "padding_mode": ("zeros",),
    "ceil_mode": (False,),
    "return_indices": (False,),
    "count_include_pad": (True,),
    "divisor_override": (None,),
    "track_running_stats": (True,),
    "affine": (True,),
    "inplace": (False,),
    "in_channels": (),
    "out_channels": (),
}
"""Values that go without saying; the channels are told by the shapes."""
_SHAPES_TELL = ("in_channels", "out_channels")

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "adaptive_avg_pool": ("output_size",),
    "adaptive_max_pool": ("output_size",),
    "amax": ("dim", "keepdim"),
    "amin": ("dim", "keepdim"),
    "avg_pool": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "cat": ("dim",),
    "chunk": ("chunks", "dim"),
    "conv": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "dropout": ("p",),
    "flatten": ("start_dim", "end_dim"),
    "flip": ("dims",),
    "interpolate": ("size", "scale_factor", "mode"),
    "layer_norm": ("normalized_shape",),
    "max": ("dim", "keepdim"),
    "max_pool": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "mean": ("dim", "keepdim"),
    "min": ("dim", "keepdim"),
    "norm": ("p", "dim", "keepdim"),
    "normalize": ("p", "dim"),
    "pad": ("pad", "mode", "value"),
    "permute": ("dims",),
    "pixel_shuffle": ("upscale_factor",),
    "pixel_unshuffle": ("downscale_factor",),
    "reshape": ("shape",),
    "roll": ("shifts", "dims"),
    "select": ("dim", "index"),
    "slice": ("index",),
    "softmax": ("dim",),
    "split": ("split_size_or_sections", "dim"),
    "squeeze": ("dim",),
    "stack": ("dim",),
    "sum": ("dim", "keepdim"),
    "std": ("dim",),
    "tensor_split": ("indices_or_sections", "dim"),
    "transpose": ("dim0", "dim1"),
    "unbind": ("dim",),
    "unflatten": ("dim", "sizes"),
    "unsqueeze": ("dim",),
    "var": ("dim",),
    "view": ("shape",),
}
"""Names of the arguments after the first tensor (or list of tensors) of common operations, in any dimension."""

_DIMENSIONS = re.compile(r"([123])d")


def of_module(module: nn.Module) -> Hyperparameters:
    """Returns the settings of a leaf module; those at their usual default are left out."""
    names = list(getattr(module, "__constants__", ())) or [name for name in vars(module) if not name.startswith("_")]
    names = [name for name in names if name != "training"]
    # Kernel, stride and padding first, as the field writes them.
    names.sort(key=lambda name: _PER_DIMENSION.index(name) if name in _PER_DIMENSION else len(_PER_DIMENSION))
    dimensions = _dimensions(type(module).__name__)
    windowed = hasattr(module, "kernel_size")
    values = []
    for name in names:
        value = _plain(getattr(module, name, None))
        if windowed and name in _PER_DIMENSION and isinstance(value, int) and dimensions:
            value = (value,) * dimensions
        if value is None or name in _SHAPES_TELL or value in _DEFAULTS.get(name, ()):
            continue
        values.append((name, value))
    return tuple(values)


def of_call(operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hyperparameters:
    """Returns the settings of a functional operation, as far as its arguments are known by name."""
    names = _ARGUMENTS.get(_DIMENSIONS.sub("", operation), ())
    given = list(args[1:])
    if operation in ("view", "reshape", "permute") and given and isinstance(given[0], int):
        given = [tuple(given)]
    values: dict[str, object] = dict(zip(names, given, strict=False))
    values.update({name: value for name, value in kwargs.items() if name in names})
    if operation == "slice" and "index" in values:
        index = values["index"]
        return (("index", ", ".join(_index_text(part) for part in (index if isinstance(index, tuple) else (index,)))),)
    plain = {name: _plain(value) for name, value in values.items()}
    if isinstance(weight := values.get("weight"), Tensor):  # (C out, C in / groups, *kernel)
        plain = {"kernel_size": tuple(weight.shape[2:]), "stride": 1, **plain}
    if "kernel_size" in plain:
        if plain.get("stride") is None:
            plain["stride"] = plain["kernel_size"]
        plain.setdefault("padding", 0)
        for name in _PER_DIMENSION:
            if isinstance(plain.get(name), int):
                plain[name] = (plain[name],) * _dimensions(operation)
    return tuple(
        (name, value) for name, value in plain.items() if value is not None and value not in _DEFAULTS.get(name, ())
    )


def _dimensions(name: str) -> int:
    """Returns how many dimensions a type or operation works in, by its name; 0 where that does not tell."""
    found = _DIMENSIONS.search(name)
    return int(found[1]) if found else 0


def _plain(value: object) -> object:
    """Returns a scalar, text or tuple of them, or None for what is none of these."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list) and all(isinstance(item, bool | int | float | str) for item in value):
        return tuple(value)
    return None


def _index_text(part: object) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    if part is Ellipsis:
        return "…"
    if isinstance(part, Tensor | list):
        return f"[{len(part)} chosen]"
    return str(part)
