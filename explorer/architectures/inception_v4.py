"""Inception v4 and Inception-ResNet v2, built by timm, and Inception-ResNet v1 as the paper draws it.

Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning", AAAI 2017.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

import timm
import torch
from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability, Range


def inception_v4(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds Inception v4: a branching stem and modules A, B and C, 4, 7 and 3 times."""
    module: nn.Module = timm.create_model("inception_v4", pretrained=False, num_classes=num_classes, drop_rate=dropout)
    return module


def inception_resnet_v2(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds Inception-ResNet v2: residual modules for 35×35, 17×17 and 8×8 cells, 10, 20 and 10 times."""
    module: nn.Module = timm.create_model(
        "inception_resnet_v2", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module


class Convolution(nn.Sequential):
    """A convolution, batch normalisation and ReLU; unpadded where the paper marks it with a V."""

    def __init__(
        self, channels: int, filters: int, kernel: tuple[int, int], stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else 0
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)


def _branch(channels: int, *layers: tuple[int, tuple[int, int]], halve: bool = False) -> nn.Sequential:
    """Returns convolutions of that many filters and that kernel; the last one has stride 2 where it is to halve."""
    branch = nn.Sequential()
    for index, (filters, kernel) in enumerate(layers, 1):
        last = halve and index == len(layers)
        branch.append(Convolution(channels, filters, kernel, 2 if last else 1, padded=not last))
        channels = filters
    return branch


class Residual(nn.Module):
    """Branches, joined, brought back to the input's maps by a 1×1 convolution, scaled and added to the input."""

    def __init__(self, channels: int, branches: list[nn.Sequential], joined: int, scale: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.join = nn.Conv2d(joined, channels, 1)
        self.scale = scale
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.join(torch.cat([branch(x) for branch in self.branches], 1))
        return self.relu(x + self.scale * out)  # type: ignore[no-any-return]


class Reduction(nn.Module):
    """Branches of stride 2 beside a pool of stride 2, joined."""

    def __init__(self, branches: list[nn.Sequential]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(branch(x) for branch in self.branches), self.pool(x)], 1)


def _residual_a(scale: float) -> nn.Module:
    """Builds the module for 35×35 cells (figure 10)."""
    one, three = (32, (1, 1)), (32, (3, 3))
    return Residual(256, [_branch(256, one), _branch(256, one, three), _branch(256, one, three, three)], 96, scale)


def _residual_b(scale: float) -> nn.Module:
    """Builds the module for 17×17 cells (figure 11)."""
    long = _branch(896, (128, (1, 1)), (128, (1, 7)), (128, (7, 1)))
    return Residual(896, [_branch(896, (128, (1, 1))), long], 256, scale)


def _residual_c(scale: float) -> nn.Module:
    """Builds the module for 8×8 cells (figure 13)."""
    long = _branch(1792, (192, (1, 1)), (192, (1, 3)), (192, (3, 1)))
    return Residual(1792, [_branch(1792, (192, (1, 1))), long], 384, scale)


def inception_resnet_v1(
    num_classes: Classes = 1000,
    scale: Annotated[float, Range(0.01, 1), "what the branches are multiplied with before they are added"] = 0.2,
    dropout: Probability = 0.2,
) -> nn.Module:
    """Builds Inception-ResNet v1: residual modules for 35×35, 17×17 and 8×8 cells, 5, 10 and 5 times.

    The stem is figure 14, the reductions are figures 7 (k, l, m, n = 192, 192, 256, 384) and 12. The paper scales the
    branches by 0.1 to 0.3. Weights start from He's initialisation, of which the paper says nothing.
    """
    three = (3, 3)
    stem = nn.Sequential(
        Convolution(3, 32, three, 2, padded=False),  # (B, 32, 149, 149)
        Convolution(32, 32, three, padded=False),
        Convolution(32, 64, three),  # (B, 64, 147, 147)
        nn.MaxPool2d(3, 2),
        Convolution(64, 80, (1, 1)),
        Convolution(80, 192, three, padded=False),  # (B, 192, 71, 71)
        Convolution(192, 256, three, 2, padded=False),  # (B, 256, 35, 35)
    )
    reduction_a = Reduction(
        [
            _branch(256, (384, three), halve=True),
            _branch(256, (192, (1, 1)), (192, three), (256, three), halve=True),
        ]
    )
    reduction_b = Reduction(
        [
            _branch(896, (256, (1, 1)), (384, three), halve=True),
            _branch(896, (256, (1, 1)), (256, three), halve=True),
            _branch(896, (256, (1, 1)), (256, three), (256, three), halve=True),
        ]
    )
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=stem,
            residual_a=nn.Sequential(*(_residual_a(scale) for _ in range(5))),
            reduction_a=reduction_a,  # (B, 896, 17, 17)
            residual_b=nn.Sequential(*(_residual_b(scale) for _ in range(10))),
            reduction_b=reduction_b,  # (B, 1792, 8, 8)
            residual_c=nn.Sequential(*(_residual_c(scale) for _ in range(5))),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            drop=nn.Dropout(dropout),
            fc=nn.Linear(1792, num_classes),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
