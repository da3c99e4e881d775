"""Networks without their initial weights, for who wants to know the sizes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

LARGE = 4096
"""Elements from which a parameter is left as it is; a constructor may compute with small tensors."""


class undrawn(TorchFunctionMode):  # noqa: N801  # used as torch's own contexts are
    """Within it no initial values are written into large parameters: their memory is reserved but never touched."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, given = getattr(func, "__name__", ""), kwargs or {}
        tensor = given.get("tensor", args[0] if args else None)  # as torch.nn.init names it
        in_place = name.endswith("_") and not name.endswith("__")
        if in_place and isinstance(tensor, nn.Parameter) and tensor.numel() >= LARGE:
            return tensor
        return func(*args, **given)
