"""ResNeXt: bottlenecks of many narrow paths, for ImageNet built by torchvision, and for CIFAR.

Xie, Girshick, Dollár, Tu and He, "Aggregated Residual Transformations for Deep Neural Networks", CVPR 2017: table 1 for
ImageNet, section 5.2 for CIFAR.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from explorer.architectures.options import Classes, Range

Cardinality = Annotated[int, Range(1, 128), "parallel paths of a block, the groups of its 3×3 convolution (C)"]
Width = Annotated[int, Range(1, 128), "maps of one path in the first stage (d); doubled in each later stage"]


class CifarBottleneck(nn.Module):
    """A bottleneck whose 3×3 convolution has `cardinality` groups; torchvision's has a fixed expansion of four."""

    def __init__(self, channels: int, inner: int, filters: int, stride: int, cardinality: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=cardinality, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(inner, filters, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(filters)
        self.projection: nn.Sequential | None = None
        if channels != filters:
            convolution = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.projection = nn.Sequential(convolution, nn.BatchNorm2d(filters))
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu1(self.bn1(self.conv1(x)))
        residual = self.relu2(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.projection is None else self.projection(x)
        return self.relu3(residual + shortcut)  # type: ignore[no-any-return]


def _imagenet(blocks: tuple[int, int, int, int], cardinality: int, width: int, num_classes: int) -> nn.Module:
    module: nn.Module = ResNet(
        Bottleneck, list(blocks), num_classes=num_classes, groups=cardinality, width_per_group=width
    )
    return module


def resnext50(num_classes: Classes = 1000, cardinality: Cardinality = 32, width: Width = 4) -> nn.Module:
    """Builds ResNeXt-50 (32×4d): bottlenecks 3, 4, 6, 3. With cardinality 1 and width 64 it is ResNet-50."""
    return _imagenet((3, 4, 6, 3), cardinality, width, num_classes)


def resnext101(num_classes: Classes = 1000, cardinality: Cardinality = 32, width: Width = 4) -> nn.Module:
    """Builds ResNeXt-101 (32×4d): bottlenecks 3, 4, 23, 3."""
    return _imagenet((3, 4, 23, 3), cardinality, width, num_classes)


def resnext101_64x4d(num_classes: Classes = 1000) -> nn.Module:
    """Builds ResNeXt-101 (64×4d): bottlenecks 3, 4, 23, 3 of twice the paths."""
    return _imagenet((3, 4, 23, 3), 64, 4, num_classes)


def resnext29_cifar(num_classes: Classes = 10, cardinality: Cardinality = 8, width: Width = 64) -> nn.Module:
    """Builds ResNeXt-29 (8×64d) for CIFAR: three stages of three bottlenecks that give 256, 512 and 1024 maps."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 64, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(64), relu1=nn.ReLU(inplace=True)
    )
    channels = 64
    for stage in (1, 2, 3):
        filters, inner = 128 * 2**stage, cardinality * width * 2 ** (stage - 1)
        first = CifarBottleneck(channels, inner, filters, 1 if stage == 1 else 2, cardinality)
        others = [CifarBottleneck(filters, inner, filters, 1, cardinality) for _ in range(2)]
        layers[f"stage{stage}"] = nn.Sequential(first, *others)
        channels = filters
    layers |= OrderedDict(avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, num_classes))
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
