"""LeNet-5, as printed in 1998 and as it is usually written today.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86(11), 1998.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.architectures.options import Classes, Range
from explorer.architectures.sizes import flattened_size

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
POOLINGS: dict[str, type[nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}

C3_GROUPS = (
    ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 0), (5, 0, 1)),
    ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (3, 4, 5, 0), (4, 5, 0, 1), (5, 0, 1, 2)),
    ((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    ((0, 1, 2, 3, 4, 5),),
)
"""Table I of the paper: which maps of S2 each of the 16 maps of C3 sees, in its four groups."""


def lenet5(
    num_classes: Classes = 10,
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh",
    pooling: Literal["average", "max"] = "average",
    *,
    input: tuple[int, int, int] = (1, 32, 32),
) -> nn.Module:
    """Builds the modern LeNet-5: every map of C3 sees all of S2, plain pooling, linear output."""
    act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
    features = nn.Sequential()
    features.add_module("c1", nn.Conv2d(input[0], 6, 5))
    features.add_module("act1", act())
    features.add_module("s2", pool(2))
    features.add_module("c3", nn.Conv2d(6, 16, 5))
    features.add_module("act3", act())
    features.add_module("s4", pool(2))
    network = nn.Sequential()
    network.add_module("features", features)
    network.add_module("flatten", nn.Flatten())
    network.add_module("c5", nn.Linear(flattened_size(features, input, canonical=400), 120))
    network.add_module("act5", act())
    network.add_module("f6", nn.Linear(120, 84))
    network.add_module("act6", act())
    network.add_module("output", nn.Linear(84, num_classes))
    return network


class ScaledTanh(nn.Module):
    """The squashing function A·tanh(S·a) with A = 1.7159 and S = 2/3 (appendix A of the paper)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """Sums 2×2 cells, times a trainable coefficient, plus a trainable bias, one pair a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernel_size = self.stride = 2
        # The mean of four cells to begin with.
        self.coefficient = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        cells = functional.avg_pool2d(x, self.kernel_size) * 4  # (B, C, H/2, W/2)
        return cells * self.coefficient + self.bias


class PartialConvolution(nn.Module):
    """C3: 16 maps that each see only some of S2's, as 60 kernels in four grouped convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = nn.ModuleList(
            nn.Conv2d(len(group) * len(group[0]), len(group), 5, groups=len(group)) for group in C3_GROUPS
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = [
            convolution(x[:, [source for target in group for source in target]])
            for group, convolution in zip(C3_GROUPS, self.groups, strict=True)
        ]
        return torch.cat(maps, 1)  # (B, 16, H-4, W-4)


class RadialBasis(nn.Module):
    """Euclidean radial basis units: how far F6 is from each class's fixed code of 84 signs.

    The paper's codes are stylised 7×12 bitmaps; these are drawn in the same spirit. The output is minus the squared
    distance, so that the nearest class has the largest value.
    """

    codes: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        signs = [[1.0 if cell == "#" else -1.0 for cell in glyph.replace(" ", "")] for glyph in GLYPHS[:num_classes]]
        self.register_buffer("codes", torch.tensor(signs))

    def forward(self, x: Tensor) -> Tensor:
        return -(x.unsqueeze(1) - self.codes).square().sum(2)  # (B, classes)


class LeNet51998(nn.Module):
    """LeNet-5 of the paper: 60,000 trainable parameters."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.act1 = ScaledTanh()
        self.s2 = Subsampling(6)
        self.act2 = ScaledTanh()
        self.c3 = PartialConvolution()
        self.act3 = ScaledTanh()
        self.s4 = Subsampling(16)
        self.act4 = ScaledTanh()
        self.c5 = nn.Conv2d(16, 120, 5)
        self.act5 = ScaledTanh()
        self.f6 = nn.Linear(120, 84)
        self.act6 = ScaledTanh()
        self.output = RadialBasis(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act2(self.s2(self.act1(self.c1(x))))  # (B, 6, 14, 14)
        x = self.act4(self.s4(self.act3(self.c3(x))))  # (B, 16, 5, 5)
        x = self.act5(self.c5(x))  # (B, 120, 1, 1)
        x = self.act6(self.f6(torch.flatten(x, 1)))  # (B, 84)
        return self.output(x)  # type: ignore[no-any-return]


def lenet5_1998(
    num_classes: Annotated[
        int, Range(1, 10), "digits told apart, 0 first: the output codes are drawings of digits"
    ] = 10,
) -> nn.Module:
    """Builds LeNet-5 as in the paper: partial C3, trainable sub-sampling, scaled tanh, radial basis output."""
    return LeNet51998(num_classes)


GLYPHS = (
    "....... ..###.. .#...#. #.....# #.....# #.....# #.....# #.....# .#...#. ..###.. ....... .......",
    "....... ...#... ..##... .#.#... ...#... ...#... ...#... ...#... ...#... .#####. ....... .......",
    "....... .#####. #.....# ......# .....#. ....#.. ..##... .#..... #...... ####### ....... .......",
    "....... ####### .....#. ....#.. ...##.. .....#. ......# ......# #.....# .#####. ....... .......",
    "....... ....##. ...#.#. ..#..#. .#...#. #....#. ####### .....#. .....#. .....#. ....... .......",
    "....... ####### #...... #...... ######. ......# ......# ......# #.....# .#####. ....... .......",
    "....... ..####. .#..... #...... ######. #.....# #.....# #.....# #.....# .#####. ....... .......",
    "####### #.....# .....#. .....#. ....#.. ....#.. ...#... ...#... ..#.... ..#.... ....... .......",
    "....... .#####. #.....# #.....# .#####. #.....# #.....# #.....# #.....# .#####. ....... .......",
    "....... .#####. #.....# #.....# #.....# .###### ......# ......# .....#. .####.. ....... .......",
)
"""Codes of the digits 0–9, twelve rows of seven cells."""
