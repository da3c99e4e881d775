"""Highway networks: convolutions whose gates mix what they compute with what they were given.

Srivastava, Greff and Schmidhuber, "Training Very Deep Networks", NIPS 2015, and "Highway Networks", arXiv 1505.00387;
the 19 layers are those of the authors' published code for CIFAR.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability, Range

GateBias = Annotated[float, Range(-10, 10), "initial bias of the gates; negative lets a new network carry its input on"]


class HighwayLayer(nn.Module):
    """A convolution H with a transform gate T: y = T(x)·H(x) + (1 - T(x))·x."""

    def __init__(self, channels: int, gate_bias: float) -> None:
        super().__init__()
        self.transform = _convolution(channels, channels, 3)
        self.relu = nn.ReLU()
        self.gate = _convolution(channels, channels, 3)
        self.sigmoid = nn.Sigmoid()
        nn.init.constant_(self.gate.bias, gate_bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.gate(x))  # (B, channels, H, W), 0–1
        return self.relu(self.transform(x)) * gate + x * (1 - gate)  # type: ignore[no-any-return]


def _convolution(channels: int, filters: int, kernel: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, filters, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight)  # as the authors' code
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _highway(
    stages: tuple[tuple[int, int], ...], features: int, gate_bias: float, dropout: float, num_classes: int
) -> nn.Module:
    """Stages of (filters, layers), each a plain convolution and highway layers, with pooling between them.

    A 1×1 convolution to `features` maps, their averages and a linear layer follow.
    """
    network = nn.Sequential()
    channels = 3
    for number, (filters, layers) in enumerate(stages, start=1):
        if dropout:
            network.add_module(f"drop{number}", nn.Dropout(dropout))
        plain = OrderedDict[str, nn.Module](conv=_convolution(channels, filters, 3), relu=nn.ReLU())
        gated = OrderedDict[str, nn.Module](
            (f"highway{layer}", HighwayLayer(filters, gate_bias)) for layer in range(2, layers + 1)
        )
        network.add_module(f"stage{number}", nn.Sequential(plain | gated))
        if number < len(stages):
            network.add_module(f"pool{number}", nn.MaxPool2d(2))
        channels = filters
    network.add_module("conv", _convolution(channels, features, 1))
    network.add_module("relu", nn.ReLU())
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    if dropout:
        network.add_module("drop", nn.Dropout(dropout))
    network.add_module("fc", nn.Linear(features, num_classes))
    return network


def highway19_cifar(num_classes: Classes = 10, gate_bias: GateBias = -2.0, dropout: Probability = 0.2) -> nn.Module:
    """Builds the highway network of 19 layers: 5, 6 and 6 convolutions of 32, 80 and 128 maps."""
    return _highway(((32, 5), (80, 6), (128, 6)), 100, gate_bias, dropout, num_classes)


def highway32_cifar(num_classes: Classes = 10, gate_bias: GateBias = -2.0, dropout: Probability = 0.2) -> nn.Module:
    """Builds a thin highway network of 32 layers: ten convolutions each of 32, 48 and 64 maps."""
    return _highway(((32, 10), (48, 10), (64, 10)), 100, gate_bias, dropout, num_classes)
