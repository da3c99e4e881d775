"""ResNet for CIFAR-10 with parameter-free shortcuts (option A).

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.architectures.options import Classes


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut around them, without parameters where the size changes."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.new_channels = filters - channels
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        if self.new_channels:  # option A: every second cell, and zeros for the channels that are new
            before = self.new_channels // 2
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.new_channels - before))
        return self.relu2(residual + x)  # type: ignore[no-any-return]


class CifarResNet(nn.Module):
    """Three stages of `blocks` blocks with 16, 32 and 64 filters: 6·blocks + 2 weighted layers."""

    def __init__(self, blocks: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.stage1 = self._stage(blocks, 16, 16, stride=1)
        self.stage2 = self._stage(blocks, 16, 32, stride=2)
        self.stage3 = self._stage(blocks, 32, 64, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(blocks: int, channels: int, filters: int, stride: int) -> nn.Sequential:
        rest = [Block(filters, filters, 1) for _ in range(blocks - 1)]
        return nn.Sequential(Block(channels, filters, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (B, 16, 32, 32)
        x = self.stage3(self.stage2(self.stage1(x)))  # (B, 64, 8, 8)
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]


def resnet20_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds ResNet-20: three blocks a stage."""
    return CifarResNet(3, num_classes)


def resnet56_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds ResNet-56: nine blocks a stage."""
    return CifarResNet(9, num_classes)
