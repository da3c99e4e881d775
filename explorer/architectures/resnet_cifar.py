"""ResNet for CIFAR-10, with the three kinds of shortcuts, and the plain networks it is measured against.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2; shortcuts A, B and C
are those of section 4.1.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.architectures.options import Classes

Shortcut = Annotated[
    Literal["A", "B", "C"],
    "where maps change, A pads with zeros and B projects by a 1×1 convolution; C projects in every block",
]


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut around them: A, B or C, or "none" in a plain network."""

    def __init__(self, channels: int, filters: int, stride: int, shortcut: str = "A") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.new_channels = filters - channels
        self.plain = shortcut == "none"
        self.projection: nn.Sequential | None = None
        if shortcut == "C" or (shortcut == "B" and self.new_channels):
            convolution = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.projection = nn.Sequential(convolution, nn.BatchNorm2d(filters))
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        if self.plain:
            return self.relu2(residual)  # type: ignore[no-any-return]
        return self.relu2(residual + self._shortcut(x))  # type: ignore[no-any-return]

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.projection is not None:
            return self.projection(x)  # type: ignore[no-any-return]
        if self.new_channels:  # option A: every second cell, and zeros for the channels that are new
            before = self.new_channels // 2
            return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.new_channels - before))
        return x


class CifarResNet(nn.Module):
    """Three stages of `blocks` blocks with 16, 32 and 64 filters: 6·blocks + 2 weighted layers."""

    def __init__(self, blocks: int, num_classes: int, shortcut: str = "A") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.stage1 = self._stage(blocks, 16, 16, 1, shortcut)
        self.stage2 = self._stage(blocks, 16, 32, 2, shortcut)
        self.stage3 = self._stage(blocks, 32, 64, 2, shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(blocks: int, channels: int, filters: int, stride: int, shortcut: str) -> nn.Sequential:
        rest = [Block(filters, filters, 1, shortcut) for _ in range(blocks - 1)]
        return nn.Sequential(Block(channels, filters, stride, shortcut), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (B, 16, 32, 32)
        x = self.stage3(self.stage2(self.stage1(x)))  # (B, 64, 8, 8)
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]


def resnet20_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-20: three blocks a stage."""
    return CifarResNet(3, num_classes, shortcut)


def resnet32_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-32: five blocks a stage."""
    return CifarResNet(5, num_classes, shortcut)


def resnet44_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-44: seven blocks a stage."""
    return CifarResNet(7, num_classes, shortcut)


def resnet56_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-56: nine blocks a stage."""
    return CifarResNet(9, num_classes, shortcut)


def resnet110_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-110: 18 blocks a stage."""
    return CifarResNet(18, num_classes, shortcut)


def resnet1202_cifar(num_classes: Classes = 10, shortcut: Shortcut = "A") -> nn.Module:
    """Builds ResNet-1202: 200 blocks a stage."""
    return CifarResNet(200, num_classes, shortcut)


def plain20_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the plain network of 20 layers: ResNet-20 without its shortcuts."""
    return CifarResNet(3, num_classes, "none")


def plain32_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the plain network of 32 layers: ResNet-32 without its shortcuts."""
    return CifarResNet(5, num_classes, "none")


def plain44_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the plain network of 44 layers: ResNet-44 without its shortcuts."""
    return CifarResNet(7, num_classes, "none")


def plain56_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the plain network of 56 layers: ResNet-56 without its shortcuts."""
    return CifarResNet(9, num_classes, "none")


def plain110_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the plain network of 110 layers: ResNet-110 without its shortcuts."""
    return CifarResNet(18, num_classes, "none")
