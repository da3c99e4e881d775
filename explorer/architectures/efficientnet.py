"""EfficientNet-B0, built by torchvision.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.
"""

from __future__ import annotations

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability


def efficientnet_b0(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the baseline that the compound rule scales: seven stages of MBConv blocks with squeeze-and-excitation."""
    module: nn.Module = models.efficientnet_b0(num_classes=num_classes, dropout=dropout)
    return module
