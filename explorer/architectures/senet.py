"""Squeeze-and-excitation networks: those of timm have the authors' original layout, two come by surgery.

Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
"""

from __future__ import annotations

from typing import Annotated

import timm
from timm.models.senet import SEModule
from torch import nn

from explorer.architectures.bn_inception import bn_inception
from explorer.architectures.inception_v4 import inception_resnet_v2
from explorer.architectures.options import Classes, Probability, Range
from explorer.architectures.surgery import se
from explorer.architectures.surgery.plan import make_plan

Reduction = Annotated[int, Range(1, 256), "how many times fewer values the excitation has within, r in the paper"]


def _senet(name: str, num_classes: int, dropout: float) -> nn.Module:
    module: nn.Module = timm.create_model(
        f"legacy_{name}", pretrained=False, num_classes=num_classes, drop_rate=dropout
    )
    return module


def seresnet50(num_classes: Classes = 1000, reduction: Reduction = 16, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-50: bottlenecks 3, 4, 6, 3, each with its squeeze and excitation."""
    network = _senet("seresnet50", num_classes, dropout)
    if reduction != 16:  # timm builds it with 16 alone
        for path, module in list(network.named_modules()):
            if isinstance(module, SEModule):
                parent, _, name = path.rpartition(".")
                setattr(network.get_submodule(parent), name, SEModule(module.fc2.out_channels, reduction))
    return network


def seresnet101(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-101: bottlenecks 3, 4, 23, 3."""
    return _senet("seresnet101", num_classes, dropout)


def seresnext50(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNeXt-50 (32×4d)."""
    return _senet("seresnext50_32x4d", num_classes, dropout)


def senet154(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds SENet-154, winner of ImageNet 2017: bottlenecks 3, 8, 36, 3 of 64 groups, and a stem of three 3×3."""
    return _senet("senet154", num_classes, dropout)


def seresnet18(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-18: basic blocks 2, 2, 2, 2."""
    return _senet("seresnet18", num_classes, dropout)


def seresnet34(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-34: basic blocks 3, 4, 6, 3."""
    return _senet("seresnet34", num_classes, dropout)


def seresnet152(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNet-152: bottlenecks 3, 8, 36, 3."""
    return _senet("seresnet152", num_classes, dropout)


def seresnext101(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-ResNeXt-101 (32×4d)."""
    return _senet("seresnext101_32x4d", num_classes, dropout)


def se_bn_inception(num_classes: Classes = 1000, dropout: Probability = 0.0) -> nn.Module:
    """Builds SE-BN-Inception: squeeze and excitation after each of the ten Inception modules."""
    network = bn_inception(num_classes, dropout=dropout)
    return se.apply(network, make_plan(network, (3, 224, 224)))


def se_inception_resnet_v2(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds SE-Inception-ResNet v2: squeeze and excitation before each sum, and after the modules without one."""
    network = inception_resnet_v2(num_classes, dropout)
    return se.apply(network, make_plan(network, (3, 299, 299)))
