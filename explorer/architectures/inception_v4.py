"""Inception v4 and Inception-ResNet v2, built by timm.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning", AAAI 2017.
"""

from __future__ import annotations

import timm
from torch import nn

from explorer.architectures.options import Classes, Probability


def inception_v4(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds Inception v4: a branching stem and modules A, B and C, 4, 7 and 3 times."""
    module: nn.Module = timm.create_model("inception_v4", pretrained=False, num_classes=num_classes, drop_rate=dropout)
    return module


def inception_resnet_v2(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds Inception-ResNet v2: residual modules for 35×35, 17×17 and 8×8 cells, 10, 20 and 10 times."""
    module: nn.Module = timm.create_model(
        "inception_resnet_v2", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module
