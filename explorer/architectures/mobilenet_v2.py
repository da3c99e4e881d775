"""MobileNetV2, built by torchvision.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range


def mobilenet_v2(
    num_classes: Classes = 1000,
    width: Annotated[float, Range(0.1, 4), "multiplies the channels of every layer"] = 1.0,
    dropout: Probability = 0.2,
) -> nn.Module:
    """Builds MobileNetV2 with 17 inverted residual blocks."""
    module: nn.Module = models.mobilenet_v2(num_classes=num_classes, width_mult=width, dropout=dropout)
    return module
