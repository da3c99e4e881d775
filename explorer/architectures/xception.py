"""Xception, built by timm.

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.
"""

from __future__ import annotations

import timm
from torch import nn

from explorer.architectures.options import Classes, Probability


def xception(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds Xception as in figure 5 of the paper: entry, middle and exit flow, 36 convolutions."""
    module: nn.Module = timm.create_model(
        "legacy_xception", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module
