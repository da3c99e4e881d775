"""DenseNet for ImageNet, built by torchvision.

Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range


def densenet121(
    num_classes: Classes = 1000,
    growth_rate: Annotated[int, Range(1, 256), "feature maps that each layer adds (k)"] = 32,
    dropout: Probability = 0.0,
) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 24 and 16 layers, compression 0.5."""
    module: nn.Module = models.DenseNet(
        growth_rate=growth_rate,
        block_config=(6, 12, 24, 16),
        num_init_features=2 * growth_rate,  # section 3, Implementation Details
        drop_rate=dropout,
        num_classes=num_classes,
    )
    return module
