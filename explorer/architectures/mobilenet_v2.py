"""MobileNetV2, built by torchvision.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Table 2 of the paper: the stride of the first block of each stage."""

CIFAR_STRIDES = (1, 1, 2, 2, 1, 2, 1)
"""For 32×32 images, which the first convolution does not halve either."""

Width = Annotated[float, Range(0.1, 4), "multiplies the channels of every layer, to a multiple of eight"]
Expansion = Annotated[int, Range(1, 12), "how many times wider a block is inside than at its ends (not the first one)"]
Activation = Annotated[Literal["relu6", "relu"], "relu6, capped at 6, is the paper's: it suits arithmetic of few bits"]


def _mobilenet_v2(
    num_classes: int, width: float, expansion: int, activation: Activation, dropout: float, strides: tuple[int, ...]
) -> Any:
    """Builds the stages of table 2 with these strides."""
    channels, blocks = (16, 24, 32, 64, 96, 160, 320), (1, 2, 3, 4, 3, 3, 1)
    expansions = (1, *[expansion] * 6)
    module = models.mobilenet_v2(
        num_classes=num_classes,
        width_mult=width,
        inverted_residual_setting=[list(stage) for stage in zip(expansions, channels, blocks, strides, strict=True)],
        dropout=dropout,
    )
    if activation == "relu":  # torchvision has no choice of it
        for parent in list(module.modules()):
            for name, child in parent.named_children():
                if isinstance(child, nn.ReLU6):
                    setattr(parent, name, nn.ReLU(inplace=True))
    return module


def mobilenet_v2(
    num_classes: Classes = 1000,
    width: Width = 1.0,
    expansion: Expansion = 6,
    activation: Activation = "relu6",
    dropout: Probability = 0.2,
) -> nn.Module:
    """Builds MobileNetV2 with 17 inverted residual blocks."""
    module: nn.Module = _mobilenet_v2(num_classes, width, expansion, activation, dropout, STRIDES)
    return module


def mobilenet_v2_cifar(
    num_classes: Classes = 10,
    width: Width = 1.0,
    expansion: Expansion = 6,
    activation: Activation = "relu6",
    dropout: Probability = 0.2,
) -> nn.Module:
    """Builds MobileNetV2 for 32×32 images: the first convolution and the second stage do not halve them."""
    module = _mobilenet_v2(num_classes, width, expansion, activation, dropout, CIFAR_STRIDES)
    module.features[0][0].stride = (1, 1)
    built: nn.Module = module
    return built
