"""VGG, configurations A, B, D and E, built by torchvision.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability

BatchNorm = Annotated[bool, "batch normalisation after each convolution, which the paper does not have"]


def _vgg(depth: int, num_classes: int, batch_norm: bool, dropout: float) -> nn.Module:
    builder = getattr(models, f"vgg{depth}_bn" if batch_norm else f"vgg{depth}")
    module: nn.Module = builder(num_classes=num_classes, dropout=dropout)
    return module


def vgg11(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration A: 8 convolutions, 3 dense layers."""
    return _vgg(11, num_classes, batch_norm, dropout)


def vgg13(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration B: 10 convolutions, 3 dense layers."""
    return _vgg(13, num_classes, batch_norm, dropout)


def vgg16(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration D: 13 convolutions, 3 dense layers."""
    return _vgg(16, num_classes, batch_norm, dropout)


def vgg19(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration E: 16 convolutions, 3 dense layers."""
    return _vgg(19, num_classes, batch_norm, dropout)
