"""ResNet for ImageNet, built by torchvision.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes


def _resnet(depth: int, num_classes: int) -> nn.Module:
    module: nn.Module = getattr(models, f"resnet{depth}")(num_classes=num_classes)
    return module


def resnet18(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNet-18: basic blocks 2, 2, 2, 2."""
    return _resnet(18, num_classes)


def resnet34(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNet-34: basic blocks 3, 4, 6, 3."""
    return _resnet(34, num_classes)


def resnet50(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNet-50: bottlenecks 3, 4, 6, 3."""
    return _resnet(50, num_classes)


def resnet101(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNet-101: bottlenecks 3, 4, 23, 3."""
    return _resnet(101, num_classes)


def resnet152(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNet-152: bottlenecks 3, 8, 36, 3."""
    return _resnet(152, num_classes)
