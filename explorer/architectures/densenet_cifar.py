"""DenseNet for CIFAR: three dense blocks, plain or with bottlenecks and compression (DenseNet-BC).

Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017, section 3.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability, Range
from explorer.errors import InputError

Growth = Annotated[int, Range(1, 256), "feature maps that each layer adds (k)"]
Slope = Annotated[float, Range(0, 1), "slope of the activation below zero; 0 is ReLU, as in the paper"]
BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Form:
    """What all layers of one network have in common."""

    growth_rate: int
    bottleneck: bool
    compression: float
    dropout: float
    negative_slope: float

    def activation(self) -> nn.Module:
        """Returns a new ReLU, a leaky one where it has a slope below zero."""
        return nn.LeakyReLU(self.negative_slope, inplace=True) if self.negative_slope else nn.ReLU(inplace=True)


class Composite(nn.Sequential):
    """Batch normalisation, ReLU and a convolution that keeps the size: the paper's composite function."""

    def __init__(self, channels: int, filters: int, kernel: int, form: Form) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=form.activation(),
            conv=nn.Conv2d(channels, filters, kernel, padding=kernel // 2, bias=False),
        )
        if form.dropout:
            layers["dropout"] = nn.Dropout(form.dropout)
        super().__init__(layers)


class DenseLayer(nn.Module):
    """Adds `growth_rate` maps to those it is given; a bottleneck first narrows them to four times as many."""

    def __init__(self, channels: int, form: Form) -> None:
        super().__init__()
        growth_rate, bottleneck = form.growth_rate, form.bottleneck
        self.bottleneck = Composite(channels, 4 * growth_rate, 1, form) if bottleneck else None
        self.composite = Composite(4 * growth_rate if bottleneck else channels, growth_rate, 3, form)

    def forward(self, x: Tensor) -> Tensor:
        narrow = x if self.bottleneck is None else self.bottleneck(x)
        return torch.cat((x, self.composite(narrow)), 1)  # (B, channels + growth_rate, H, W)


class CifarDenseNet(nn.Sequential):
    """A 3×3 convolution, three dense blocks with two halving transitions between them, and a linear classifier.

    Raises:
        InputError: no three equal blocks have that depth.
    """

    def __init__(self, depth: int, form: Form, num_classes: int) -> None:
        growth_rate, bottleneck, compression = form.growth_rate, form.bottleneck, form.compression
        layers = _layers_per_block(depth, bottleneck)
        # DenseNet-BC, which has both, starts from twice the growth rate; every other form from 16 maps.
        channels = 2 * growth_rate if bottleneck and compression < 1 else 16
        modules: OrderedDict[str, nn.Module] = OrderedDict(conv=nn.Conv2d(3, channels, 3, padding=1, bias=False))
        for block in range(1, BLOCKS + 1):
            dense = nn.Sequential()
            for _ in range(layers):
                dense.append(DenseLayer(channels, form))
                channels += growth_rate
            modules[f"block{block}"] = dense
            if block < BLOCKS:
                kept = max(1, int(round(compression * channels, 6)))  # 0.29 · 100 is 28.999… in binary
                pool = ("pool", nn.AvgPool2d(2))
                modules[f"transition{block}"] = nn.Sequential(
                    OrderedDict([("composite", Composite(channels, kept, 1, form)), pool])
                )
                channels = kept
        modules["norm"] = nn.BatchNorm2d(channels)
        modules["relu"] = form.activation()
        modules["avgpool"] = nn.AdaptiveAvgPool2d(1)
        modules["flatten"] = nn.Flatten()
        modules["fc"] = nn.Linear(channels, num_classes)
        super().__init__(modules)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(modules["fc"].bias)  # type: ignore[arg-type]


def _layers_per_block(depth: int, bottleneck: bool) -> int:
    """Returns how many dense layers each block has: depth counts them, the stem, two transitions and the classifier."""
    convolutions = 2 if bottleneck else 1
    layers, rest = divmod(depth - 4, BLOCKS * convolutions)
    if rest or layers < 1:
        step = BLOCKS * convolutions
        below = 4 + step * max(1, layers)
        given = "with a bottleneck" if bottleneck else "without a bottleneck"
        raise InputError(
            f"depth must be 4 more than a multiple of {step} {given}, such as {below} or {below + step}, not {depth}"
        )
    return layers


def densenet_bc(
    num_classes: Classes = 10,
    depth: Annotated[int, Range(7, 400), "layers with weights (L): 4 + 6n, or 4 + 3n without bottlenecks"] = 100,
    growth_rate: Growth = 12,
    bottleneck: Annotated[bool, "a 1×1 convolution to 4k maps before each 3×3 one (the B of BC)"] = True,
    compression: Annotated[float, Range(0.1, 1), "share of the maps that a transition keeps (θ, the C of BC)"] = 0.5,
    dropout: Probability = 0.0,
    negative_slope: Slope = 0.0,
) -> nn.Module:
    """Builds DenseNet-BC for CIFAR, by default with 100 layers and a growth rate of 12."""
    return CifarDenseNet(depth, Form(growth_rate, bottleneck, compression, dropout, negative_slope), num_classes)


def densenet40_cifar(
    num_classes: Classes = 10, growth_rate: Growth = 12, dropout: Probability = 0.0, negative_slope: Slope = 0.0
) -> nn.Module:
    """Builds the plain DenseNet of 40 layers: no bottlenecks, and transitions that keep every map."""
    return CifarDenseNet(40, Form(growth_rate, False, 1.0, dropout, negative_slope), num_classes)
