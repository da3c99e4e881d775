"""Wide residual networks: for CIFAR by depth and width, and for ImageNet with wide bottlenecks, built by torchvision.

Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016: table 1 and section 2.4 for CIFAR, table 8 for ImageNet.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import Tensor, nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range
from explorer.errors import InputError


class WideBlock(nn.Module):
    """B(3, 3): normalisation and ReLU before each of two 3×3 convolutions, dropout between them."""

    def __init__(self, channels: int, filters: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.relu2 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.projection = nn.Conv2d(channels, filters, 1, stride, bias=False) if channels != filters else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu1(self.bn1(x))
        # A projection starts from the normalised maps, an identity from those before.
        shortcut = x if self.projection is None else self.projection(active)
        residual = self.relu2(self.bn2(self.conv1(active)))
        if self.dropout is not None:
            residual = self.dropout(residual)
        return self.conv2(residual) + shortcut  # type: ignore[no-any-return]


class WideResNet(nn.Sequential):
    """A 3×3 convolution and three stages of 16k, 32k and 64k maps: 6n + 4 layers with weights for n blocks a stage.

    Raises:
        InputError: no three equal stages have that depth.
    """

    def __init__(self, depth: int, width: int, dropout: float, num_classes: int) -> None:
        blocks, rest = divmod(depth - 4, 6)
        if rest:
            raise InputError(
                f"depth must be 4 more than a multiple of 6, such as {4 + 6 * blocks} or {10 + 6 * blocks}, not {depth}"
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False))
        channels = 16
        for stage in (1, 2, 3):
            filters = 8 * 2**stage * width
            first = WideBlock(channels, filters, 1 if stage == 1 else 2, dropout)
            others = [WideBlock(filters, filters, 1, dropout) for _ in range(blocks - 1)]
            layers[f"stage{stage}"] = nn.Sequential(first, *others)
            channels = filters
        layers["norm"] = nn.BatchNorm2d(channels)
        layers["relu"] = nn.ReLU(inplace=True)
        layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(channels, num_classes)
        super().__init__(layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # as the authors' code
        nn.init.zeros_(layers["fc"].bias)  # type: ignore[arg-type]


def wide_resnet_cifar(
    num_classes: Classes = 10,
    depth: Annotated[int, Range(10, 202), "layers with weights: 4 + 6n, n blocks in each of the three stages"] = 28,
    width: Annotated[int, Range(1, 32), "times the 16, 32 and 64 maps of a ResNet for CIFAR (k)"] = 10,
    dropout: Probability = 0.0,
) -> nn.Module:
    """Builds a wide residual network for CIFAR, WRN-28-10 by default."""
    return WideResNet(depth, width, dropout, num_classes)


def wide_resnet50_2(num_classes: Classes = 1000) -> nn.Module:
    """Builds WRN-50-2: ResNet-50 whose 3×3 convolutions have twice the maps."""
    module: nn.Module = models.wide_resnet50_2(num_classes=num_classes)
    return module
