"""EfficientNet-B0 to B7, built by torchvision.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.
"""

from __future__ import annotations

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability


def _efficientnet(scale: int, num_classes: int, dropout: float) -> nn.Module:
    module: nn.Module = getattr(models, f"efficientnet_b{scale}")(num_classes=num_classes, dropout=dropout)
    return module


def efficientnet_b0(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the baseline that the compound rule scales: seven stages of MBConv blocks with squeeze-and-excitation."""
    return _efficientnet(0, num_classes, dropout)


def efficientnet_b1(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds B1, 1.1 times as deep as B0, for 240×240 pixels."""
    return _efficientnet(1, num_classes, dropout)


def efficientnet_b2(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds B2, 1.1 times as wide and 1.2 times as deep as B0, for 260×260 pixels."""
    return _efficientnet(2, num_classes, dropout)


def efficientnet_b3(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds B3, 1.2 times as wide and 1.4 times as deep as B0, for 300×300 pixels."""
    return _efficientnet(3, num_classes, dropout)


def efficientnet_b4(num_classes: Classes = 1000, dropout: Probability = 0.4) -> nn.Module:
    """Builds B4, 1.4 times as wide and 1.8 times as deep as B0, for 380×380 pixels."""
    return _efficientnet(4, num_classes, dropout)


def efficientnet_b5(num_classes: Classes = 1000, dropout: Probability = 0.4) -> nn.Module:
    """Builds B5, 1.6 times as wide and 2.2 times as deep as B0, for 456×456 pixels."""
    return _efficientnet(5, num_classes, dropout)


def efficientnet_b6(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds B6, 1.8 times as wide and 2.6 times as deep as B0, for 528×528 pixels."""
    return _efficientnet(6, num_classes, dropout)


def efficientnet_b7(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds B7, 2.0 times as wide and 3.1 times as deep as B0, for 600×600 pixels."""
    return _efficientnet(7, num_classes, dropout)
