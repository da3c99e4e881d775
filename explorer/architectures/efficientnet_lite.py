"""EfficientNet-Lite0 to Lite4, built by timm: EfficientNet for phones, without squeeze-and-excitation and with ReLU6.

Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.
"""

from __future__ import annotations

import timm
from torch import nn

from explorer.architectures.options import Classes, Probability


def _lite(scale: int, num_classes: int, dropout: float) -> nn.Module:
    """Builds a Lite version, with TensorFlow's padding as its published weights need it."""
    module: nn.Module = timm.create_model(
        f"tf_efficientnet_lite{scale}", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module


def efficientnet_lite0(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the Lite version of B0."""
    return _lite(0, num_classes, dropout)


def efficientnet_lite1(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the Lite version of B1."""
    return _lite(1, num_classes, dropout)


def efficientnet_lite2(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds the Lite version of B2."""
    return _lite(2, num_classes, dropout)


def efficientnet_lite3(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds the Lite version of B3."""
    return _lite(3, num_classes, dropout)


def efficientnet_lite4(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds the Lite version of B4."""
    return _lite(4, num_classes, dropout)
