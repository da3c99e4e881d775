"""BN-Inception, also called Inception v2: the Inception network that batch normalisation was introduced with.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
ICML 2015, figure 5. The network whose weights went round, trained in Caffe and ported to PyTorch by R. Cadene, is wider
at three places than the figure; both are here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability

Form = Annotated[Literal["caffe", "paper"], "the network as it was released, or as the paper's figure 5 has it"]


@dataclass(frozen=True, slots=True)
class Widths:
    """Maps of an Inception module, by branch; 0 where there is none."""

    single: int
    """Of the 1×1 branch."""
    triple: tuple[int, int]
    """Of the 3×3 branch: 1×1, 3×3."""
    double: tuple[int, int]
    """Of the branch of two 3×3 kernels: 1×1, both 3×3."""
    pool: int
    """Of the 1×1 convolution behind the pool."""

    def outputs(self, channels: int) -> int:
        """Returns the maps of all branches, joined, over an input of that many."""
        return self.single + self.triple[1] + self.double[1] + (self.pool or channels)


def modules(form: str) -> dict[str, Widths]:
    """Returns the widths of the ten modules by their names in the network, the first one first."""
    narrow = form == "paper"
    return {
        "inception3a": Widths(64, (64, 64), (64, 96), 32),
        "inception3b": Widths(64, (64, 96), (64, 96), 64),
        "inception3c": Widths(0, (128, 160), (64, 96), 0),
        "inception4a": Widths(224, (64, 96), (96, 128), 128),
        "inception4b": Widths(192, (96, 128), (96, 128), 128),
        "inception4c": Widths(160, (128, 160), (128, 160), 96 if narrow else 128),
        "inception4d": Widths(96, (128, 192), (160, 192), 96 if narrow else 128),
        "inception4e": Widths(0, (128, 192), (192, 256), 0),
        "inception5a": Widths(352, (192, 320), (160, 224), 128),
        "inception5b": Widths(352, (192, 320), (192, 224), 128),
    }


class Convolution(nn.Sequential):
    """A convolution that keeps the size at stride 1, batch normalisation and ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=bias)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)


class Inception(nn.Module):
    """Branches of 1×1, 3×3, two 3×3 and a pool over the same input, joined along the channels.

    Without a 1×1 branch it halves the image: its other branches have stride 2, and the pool passes its input on.
    """

    def __init__(self, channels: int, widths: Widths, pool: nn.Module, bias: bool) -> None:
        super().__init__()
        stride = 1 if widths.single else 2
        reduce, full = widths.triple
        self.branch1 = Convolution(channels, widths.single, 1, 1, bias) if widths.single else None
        self.branch3 = nn.Sequential(
            Convolution(channels, reduce, 1, 1, bias),
            Convolution(reduce, full, 3, stride, bias),
        )
        reduce, full = widths.double
        self.branch3_double = nn.Sequential(
            Convolution(channels, reduce, 1, 1, bias),
            Convolution(reduce, full, 3, 1, bias),
            Convolution(full, full, 3, stride, bias),
        )
        self.branch_pool = nn.Sequential(OrderedDict(pool=pool))
        if widths.pool:
            self.branch_pool.add_module("projection", Convolution(channels, widths.pool, 1, 1, bias))

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.branch1(x)] if self.branch1 is not None else []
        return torch.cat([*branches, self.branch3(x), self.branch3_double(x), self.branch_pool(x)], 1)


def bn_inception(
    num_classes: Classes = 1000,
    form: Form = "caffe",
    biases: Annotated[bool, "biases in front of batch normalisation, which takes them away again"] = True,
    dropout: Probability = 0.0,
    *,
    input: tuple[int, int, int] = (3, 224, 224),
) -> nn.Module:
    """Builds a stem of three convolutions, modules 3a to 5b by their name, and the classifier.

    Weights start from Glorot's initialisation, as in the released network's description.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=Convolution(input[0], 64, 7, 2, biases),
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
        conv2_reduce=Convolution(64, 64, 1, 1, biases),
        conv2=Convolution(64, 192, 3, 1, biases),
        pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    # conv1 halves with rounding up, the ceil-mode pools halve with rounding down
    height, width = ((side + 1) // 2 // 4 for side in input[1:])
    channels = 192
    for name, widths in modules(form).items():
        if not widths.single:
            # A strided convolution rounds up; the pool beside it must too, where the side is odd.
            pool: nn.Module = nn.MaxPool2d(3, 2, padding=(height % 2, width % 2), ceil_mode=True)
            height, width = (height + 1) // 2, (width + 1) // 2
        elif name == "inception5b":
            pool = nn.MaxPool2d(3, stride=1, padding=1)
        else:
            pool = nn.AvgPool2d(3, stride=1, padding=1)
        layers[name] = Inception(channels, widths, pool, biases)
        channels = widths.outputs(channels)
    layers |= OrderedDict(
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        drop=nn.Dropout(dropout),
        fc=nn.Linear(channels, num_classes),
    )
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
