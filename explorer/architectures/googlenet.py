"""GoogLeNet (Inception v1) of the paper: no batch normalisation, real 5×5 kernels, biases.

One of its modules by itself, and torchvision's version, are here too.

Szegedy et al., "Going Deeper with Convolutions", CVPR 2015.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torchvision import models

from explorer.architectures.options import Classes, Probability
from explorer.errors import InputError

LEAST_SIDE_WITH_AUX = 79
"""Pixels that leave the auxiliary heads the 5×5 cells which their pool needs."""

MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Table 1 of the paper: input, 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection."""


class Convolution(nn.Sequential):
    """A convolution that keeps the size at stride 1, and its ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2)
        self.relu = nn.ReLU(inplace=True)


class Inception(nn.Module):
    """Four branches over the same input, joined along the channels."""

    def __init__(self, channels: int, n1: int, r3: int, n3: int, r5: int, n5: int, projection: int) -> None:
        super().__init__()
        self.branch1 = Convolution(channels, n1, 1)
        self.branch3 = nn.Sequential(Convolution(channels, r3, 1), Convolution(r3, n3, 3))
        self.branch5 = nn.Sequential(Convolution(channels, r5, 1), Convolution(r5, n5, 5))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Convolution(channels, projection, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


class NaiveInception(nn.Module):
    """An Inception module without 1×1 reductions (figure 2a): its pool hands all the input's maps on."""

    def __init__(self, channels: int, n1: int, n3: int, n5: int) -> None:
        super().__init__()
        self.branch1 = Convolution(channels, n1, 1)
        self.branch3 = Convolution(channels, n3, 3)
        self.branch5 = Convolution(channels, n5, 5)
        self.branch_pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


class AuxiliaryHead(nn.Module):
    """A classifier on an inner module that feeds gradient to it while training (section 5)."""

    def __init__(self, channels: int, size: tuple[int, int], num_classes: int) -> None:
        super().__init__()
        height, width = ((side - 5) // 3 + 1 for side in size)
        self.pool = nn.AvgPool2d(5, stride=3)
        self.conv = Convolution(channels, 128, 1)
        self.fc1 = nn.Linear(128 * height * width, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.conv(self.pool(x)), 1)
        return self.fc2(self.drop(self.relu(self.fc1(x))))  # type: ignore[no-any-return]


class Outputs(NamedTuple):
    """What the network gives while it trains with auxiliary heads, the main logits first."""

    logits: Tensor
    aux2: Tensor
    aux1: Tensor


class GoogLeNet(nn.Module):
    """Nine Inception modules over a stem of three convolutions."""

    def __init__(self, num_classes: int, aux: bool, dropout: float, input: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv1 = Convolution(input[0], 64, 7, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm1 = nn.LocalResponseNorm(5, alpha=1e-4)
        self.conv2_reduce = Convolution(64, 64, 1)
        self.conv2 = Convolution(64, 192, 3)
        self.norm2 = nn.LocalResponseNorm(5, alpha=1e-4)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(*MODULES["3a"])
        self.inception3b = Inception(*MODULES["3b"])
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(*MODULES["4a"])
        self.inception4b = Inception(*MODULES["4b"])
        self.inception4c = Inception(*MODULES["4c"])
        self.inception4d = Inception(*MODULES["4d"])
        self.inception4e = Inception(*MODULES["4e"])
        self.pool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception5a = Inception(*MODULES["5a"])
        self.inception5b = Inception(*MODULES["5b"])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        self.aux1: AuxiliaryHead | None = None
        self.aux2: AuxiliaryHead | None = None
        if aux:
            # conv1 halves with rounding up, the ceil-mode pools halve with rounding down
            size = ((input[1] + 1) // 2 // 8, (input[2] + 1) // 2 // 8)
            self.aux1 = AuxiliaryHead(512, size, num_classes)
            self.aux2 = AuxiliaryHead(528, size, num_classes)

    def forward(self, x: Tensor) -> Tensor | Outputs:
        x = self.norm1(self.pool1(self.conv1(x)))
        x = self.pool2(self.norm2(self.conv2(self.conv2_reduce(x))))  # (B, 192, 28, 28)
        x = self.pool3(self.inception3b(self.inception3a(x)))  # (B, 480, 14, 14)
        x = inner1 = self.inception4a(x)  # (B, 512, 14, 14)
        x = inner2 = self.inception4d(self.inception4c(self.inception4b(x)))  # (B, 528, 14, 14)
        x = self.pool4(self.inception4e(x))  # (B, 832, 7, 7)
        x = self.avgpool(self.inception5b(self.inception5a(x)))  # (B, 1024, 1, 1)
        logits: Tensor = self.fc(self.drop(torch.flatten(x, 1)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return Outputs(logits, self.aux2(inner2), self.aux1(inner1))
        return logits


Auxiliary = Annotated[bool, "two auxiliary classifiers that take part in training only"]


def googlenet(
    num_classes: Classes = 1000,
    aux: Auxiliary = False,
    dropout: Probability = 0.4,
    *,
    input: tuple[int, int, int] = (3, 224, 224),
) -> nn.Module:
    """Builds GoogLeNet as in Table 1 of the paper.

    Raises:
        InputError: the input is too small for the auxiliary heads.
    """
    if aux and min(input[1:]) < LEAST_SIDE_WITH_AUX:
        size = "×".join(map(str, input[1:]))
        raise InputError(f"googlenet with aux needs {LEAST_SIDE_WITH_AUX}×{LEAST_SIDE_WITH_AUX} pixels, not {size}")
    return GoogLeNet(num_classes, aux, dropout, input)


def googlenet_torchvision(num_classes: Classes = 1000, aux: Auxiliary = False, dropout: Probability = 0.2) -> nn.Module:
    """Builds torchvision's GoogLeNet: batch normalisation, no biases, and 3×3 kernels where the paper has 5×5."""
    module: nn.Module = models.googlenet(
        num_classes=num_classes, aux_logits=aux, dropout=dropout, transform_input=False, init_weights=True
    )
    return module


def inception_module(
    module: Annotated[
        Literal["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"], "which module of GoogLeNet the widths are of"
    ] = "3a",
    form: Annotated[
        Literal["reduced", "naive"], "with 1×1 convolutions that save channels (figure 2b), or without (2a)"
    ] = "reduced",
    *,
    input: tuple[int, int, int] = (192, 28, 28),
) -> nn.Module:
    """Builds one Inception module over as many maps as the input has, (B, C, H, W) to (B, filters, H, W)."""
    _, n1, r3, n3, r5, n5, projection = MODULES[module]
    if form == "naive":
        return NaiveInception(input[0], n1, n3, n5)
    return Inception(input[0], n1, r3, n3, r5, n5, projection)
