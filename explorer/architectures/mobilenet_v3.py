"""MobileNetV3, built by torchvision.

Howard et al., "Searching for MobileNetV3", ICCV 2019.
"""

from __future__ import annotations

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability


def mobilenet_v3_large(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds MobileNetV3-Large as in Table 1 of the paper: 15 blocks."""
    module: nn.Module = models.mobilenet_v3_large(num_classes=num_classes, dropout=dropout)
    return module


def mobilenet_v3_small(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds MobileNetV3-Small as in Table 2 of the paper: 11 blocks."""
    module: nn.Module = models.mobilenet_v3_small(num_classes=num_classes, dropout=dropout)
    return module
