"""Networks of torchvision by their own names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable

from torch import nn
from torchvision.models import get_model_builder

from explorer.architectures.options import Classes


def builder(name: str) -> Callable[..., nn.Module]:
    """Returns a builder of torchvision's network `name`, without weights but as its published weights have it."""
    build = get_model_builder(name)
    parameters = inspect.signature(build).parameters
    fixed: dict[str, object] = {"weights": None}
    if "weights_backbone" in parameters:
        fixed["weights_backbone"] = None  # else the constructor would download them
    if "aux_loss" in parameters:
        fixed["aux_loss"] = True
    if name.endswith("googlenet"):
        fixed["aux_logits"] = False
    if "optical_flow" in build.__module__:
        return lambda: build(**fixed)
    default = 400 if "video" in build.__module__ else 21 if "segmentation" in build.__module__ else 1000
    if "detection" in build.__module__:
        default = 91

    def network(num_classes: Classes = default) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about initial weights of later releases
            module: nn.Module = build(**fixed, num_classes=num_classes)
        return module

    return network
