"""airbench94: the small network that learns CIFAR-10 to 94 % within seconds.

Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, 2024: section 3.1 and appendix.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import Tensor, nn

from explorer.architectures.options import Classes, Range

SCALE = 1 / 9
"""What the outputs are multiplied by."""


class Scaled(nn.Module):
    """Multiplies by a constant: soft outputs at the start, when the learning rate is highest."""

    def forward(self, x: Tensor) -> Tensor:
        return x * SCALE


def airbench94(
    num_classes: Classes = 10,
    width: Annotated[float, Range(0.125, 8), "times the 64, 256 and 256 maps of the three blocks"] = 1.0,
) -> nn.Module:
    """Builds a whitening layer of 2×2 kernels, three blocks of two 3×3 convolutions, and a linear layer."""
    filters = [max(1, round(width * maps)) for maps in (64, 256, 256)]
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            whiten=nn.Conv2d(3, 24, 2),  # (B, 24, 31, 31)
            gelu=nn.GELU(),
            block1=_block(24, filters[0]),  # (B, 64, 15, 15)
            block2=_block(filters[0], filters[1]),  # (B, 256, 7, 7)
            block3=_block(filters[1], filters[2]),  # (B, 256, 3, 3)
            pool=nn.MaxPool2d(3),  # (B, 256, 1, 1)
            flatten=nn.Flatten(),
            head=nn.Linear(filters[2], num_classes, bias=False),
            scale=Scaled(),
        )
    )
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and name != "whiten":
            nn.init.dirac_(module.weight[: module.in_channels])  # what comes in passes through unchanged
    return network


def _block(channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(channels, filters, 3, padding="same", bias=False),
            pool=nn.MaxPool2d(2),
            norm1=nn.BatchNorm2d(filters),
            gelu1=nn.GELU(),
            conv2=nn.Conv2d(filters, filters, 3, padding="same", bias=False),
            norm2=nn.BatchNorm2d(filters),
            gelu2=nn.GELU(),
        )
    )
