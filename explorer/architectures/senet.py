"""Squeeze-and-excitation networks, built by timm from the authors' original layout.

Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
"""

from __future__ import annotations

import timm
from torch import nn

from explorer.architectures.options import Classes, Probability


def _senet(name: str, num_classes: int, dropout: float) -> nn.Module:
    module: nn.Module = timm.create_model(
        f"legacy_{name}", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module


def seresnet50(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-50: bottlenecks 3, 4, 6, 3, each with its squeeze and excitation."""
    return _senet("seresnet50", num_classes, dropout)


def seresnet101(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-101: bottlenecks 3, 4, 23, 3."""
    return _senet("seresnet101", num_classes, dropout)


def seresnext50(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNeXt-50 (32×4d)."""
    return _senet("seresnext50_32x4d", num_classes, dropout)


def senet154(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds SENet-154, winner of ImageNet 2017: bottlenecks 3, 8, 36, 3 of 64 groups, and a stem of three 3×3."""
    return _senet("senet154", num_classes, dropout)
