"""MobileNet (v1): a plain chain of depthwise separable convolutions.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability, Range

BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Table 1 of the paper: output channels and stride of each depthwise separable convolution."""

LEAST_CHANNELS = 8
"""No width multiplier makes a layer thinner than this, as in the authors' code."""

Width = Annotated[float, Range(0.1, 4), "multiplies the channels of every layer"]
Activation = Annotated[
    Literal["relu6", "relu"],
    "what follows each normalisation: relu as in the paper, or relu6, capped at 6, as in its code",
]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu6": nn.ReLU6, "relu": nn.ReLU}


class Convolution(nn.Sequential):
    """A convolution that keeps the size at stride 1, batch normalisation and the activation."""

    def __init__(
        self, channels: int, filters: int, kernel: int, activation: Activation, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = ACTIVATIONS[activation](inplace=True)


class SeparableConvolution(nn.Sequential):
    """A 3×3 filter for each channel, then a 1×1 convolution that mixes the channels (figure 3)."""

    def __init__(self, channels: int, filters: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.depthwise = Convolution(channels, channels, 3, activation, stride, groups=channels)
        self.pointwise = Convolution(channels, filters, 1, activation)


class MobileNetV1(nn.Module):
    """A full convolution, thirteen separable ones, global average pooling and a classifier."""

    def __init__(
        self, num_classes: int, width: float, activation: Activation, dropout: float, stem_stride: int = 2
    ) -> None:
        super().__init__()
        channels = _scaled(32, width)
        self.features = nn.Sequential(Convolution(3, channels, 3, activation, stem_stride))
        for filters, stride in BLOCKS:
            self.features.append(SeparableConvolution(channels, _scaled(filters, width), stride, activation))
            channels = _scaled(filters, width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))  # (B, 1024 width, 1, 1)
        return self.fc(self.drop(torch.flatten(x, 1)))  # type: ignore[no-any-return]


def _scaled(channels: int, width: float) -> int:
    return max(int(channels * width), LEAST_CHANNELS)


def mobilenet_v1(
    num_classes: Classes = 1000, width: Width = 1.0, activation: Activation = "relu", dropout: Probability = 0.001
) -> nn.Module:
    """Builds MobileNet as in Table 1 of the paper; its widths are 1, 0.75, 0.5 and 0.25."""
    return MobileNetV1(num_classes, width, activation, dropout)


def mobilenet_v1_cifar(
    num_classes: Classes = 10, width: Width = 1.0, activation: Activation = "relu", dropout: Probability = 0.001
) -> nn.Module:
    """Builds MobileNet for 32×32 images: the first convolution does not halve them, so that the last maps are 2×2."""
    return MobileNetV1(num_classes, width, activation, dropout, stem_stride=1)
