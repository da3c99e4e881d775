"""DenseNet for ImageNet, built by torchvision.

Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017, table 1.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range

Growth = Annotated[int, Range(1, 256), "feature maps that each layer adds (k)"]


def _densenet(blocks: tuple[int, int, int, int], growth_rate: int, dropout: float, num_classes: int) -> nn.Module:
    module: nn.Module = models.DenseNet(
        growth_rate=growth_rate,
        block_config=blocks,
        num_init_features=2 * growth_rate,  # section 3, Implementation Details
        drop_rate=dropout,
        num_classes=num_classes,
    )
    return module


def densenet121(num_classes: Classes = 1000, growth_rate: Growth = 32, dropout: Probability = 0.0) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 24 and 16 layers, compression 0.5."""
    return _densenet((6, 12, 24, 16), growth_rate, dropout, num_classes)


def densenet169(num_classes: Classes = 1000, growth_rate: Growth = 32, dropout: Probability = 0.0) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 32 and 32 layers, compression 0.5."""
    return _densenet((6, 12, 32, 32), growth_rate, dropout, num_classes)


def densenet201(num_classes: Classes = 1000, growth_rate: Growth = 32, dropout: Probability = 0.0) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 48 and 32 layers, compression 0.5."""
    return _densenet((6, 12, 48, 32), growth_rate, dropout, num_classes)


def densenet161(num_classes: Classes = 1000, growth_rate: Growth = 48, dropout: Probability = 0.0) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 36 and 24 layers, compression 0.5 and the wider growth of 48."""
    return _densenet((6, 12, 36, 24), growth_rate, dropout, num_classes)


def densenet264(num_classes: Classes = 1000, growth_rate: Growth = 32, dropout: Probability = 0.0) -> nn.Module:
    """Builds DenseNet-BC with dense blocks of 6, 12, 64 and 48 layers, compression 0.5."""
    return _densenet((6, 12, 64, 48), growth_rate, dropout, num_classes)
