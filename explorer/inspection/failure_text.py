"""Why a layer cannot take its input, in words."""

from __future__ import annotations

import re

from torch import nn

from explorer.inspection.anatomy import Shape

_VALUES = re.compile(r"meta tensor|convert meta|register_meta function")
_DEVICES = re.compile(r"expected device|same device")
_WINDOWED = ("Conv", "MaxPool", "AvgPool", "LPPool")


def explain(error: BaseException, module: nn.Module | None, shapes: tuple[Shape, ...]) -> str:
    """Returns one line that says what does not fit, in numbers where the cause is known, else torch's own words."""
    shape = shapes[0] if shapes else ()
    own = " ".join(str(error).split()) or type(error).__name__
    if _VALUES.search(own):
        return "it asks for the values of a tensor, and an inspection knows shapes alone"
    if _DEVICES.search(own):
        return "it combines its input with a tensor of another device: make that with device=x.device"
    if module is None or not shape:
        return own
    if isinstance(module, nn.Linear) and shape[-1] != module.in_features:
        return f"it takes {module.in_features:,} features and was given {shape[-1]:,}"
    channels = getattr(module, "in_channels", getattr(module, "num_features", None))
    if isinstance(channels, int) and len(shape) > 1 and shape[1] != channels:
        return f"it takes {channels:,} channels and was given {shape[1]:,}"
    name = type(module).__name__
    if name.startswith(_WINDOWED) and "Adaptive" not in name and hasattr(module, "kernel_size"):
        spatial = shape[2:]
        kernel = _each(module.kernel_size, len(spatial))
        dilation = _each(getattr(module, "dilation", 1), len(spatial))
        padding = getattr(module, "padding", 0)
        around = _each(0 if isinstance(padding, str) else padding, len(spatial))
        if len(kernel) != len(spatial):
            return f"it takes {len(kernel)} spatial dimensions and was given {len(spatial)}"
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        if any(size + 2 * p < r for size, p, r in zip(spatial, around, reach, strict=True)):
            padded = f" with a padding of {_times(around)}" if any(around) else ""
            return f"its window of {_times(reach)} does not fit into its input of {_times(spatial)}{padded}"
    return own


def _each(value: object, count: int) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * count  # type: ignore[call-overload]


def _times(sizes: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in sizes)
