"""Networks of timm by their own names."""

from __future__ import annotations

from collections.abc import Callable

import timm
from torch import nn

from explorer.architectures.options import Classes


def builder(name: str) -> Callable[..., nn.Module]:
    """Returns a builder of timm's network `name`, without weights."""
    config = timm.get_pretrained_cfg(name)
    default = config.num_classes if config is not None and config.num_classes else 1000

    def network(num_classes: Classes = default) -> nn.Module:
        chosen = {} if num_classes == default else {"num_classes": num_classes}
        module: nn.Module = timm.create_model(name, pretrained=False, **chosen)
        return module

    return network
