"""EfficientNet-Lite0, built by timm: EfficientNet for phones, without squeeze-and-excitation and with ReLU6.

Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.
"""

from __future__ import annotations

import timm
from torch import nn

from explorer.architectures.options import Classes, Probability


def efficientnet_lite0(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the Lite version of B0, with TensorFlow's padding as its published weights need it."""
    module: nn.Module = timm.create_model(
        "tf_efficientnet_lite0", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module
