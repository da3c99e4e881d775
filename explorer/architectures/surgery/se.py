"""Squeeze and excitation at the end of each block's residual branch.

Hu, Shen, Albanie, Sun and Wu, "Squeeze-and-Excitation Networks", TPAMI 2020 (CVPR 2018), sections 3 and 6.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from explorer.architectures.options import Range
from explorer.architectures.surgery.plan import Block, Plan
from explorer.architectures.surgery.splice import Inserted, insert
from explorer.errors import InputError

Ratio = Annotated[int, Range(1, 4096), "how many times fewer channels the excitation has between its two layers (r)"]
Stages = Annotated[str, "stages to change: all, last, or their numbers, as in 34"]


class SqueezeExcitation(Inserted):
    """Scales each channel by what two dense layers say of the means of all channels."""

    def __init__(self, channels: int, ratio: int, bias: bool) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // ratio, 1, bias=bias)  # dense layers over a single cell
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // ratio, channels, 1, bias=bias)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        means = self.squeeze(x)  # (B, C, 1, 1)
        return x * self.sigmoid(self.fc2(self.relu(self.fc1(means))))  # type: ignore[no-any-return]


def check_ratio(ratio: int, blocks: list[Block]) -> None:
    """Refuses a ratio that leaves some block no channel.

    Raises:
        InputError: it is larger than the narrowest block.
    """
    narrowest = min(block.channels for block in blocks)
    if not 1 <= ratio <= narrowest:
        raise InputError(f"ratio must be from 1 to {narrowest}, the channels of the narrowest block, not {ratio}")


def apply(
    network: nn.Module,
    plan: Plan,
    *,
    ratio: Ratio = 16,
    bias: Annotated[bool, "biases in the two dense layers, as in the authors' release"] = True,
    stages: Stages = "all",
) -> nn.Module:
    """Adds squeeze and excitation to the blocks of the chosen stages, before a skip is added.

    Raises:
        InputError: there is no such stage, or the ratio is larger than the narrowest block.
    """
    blocks = plan.chosen(stages)
    check_ratio(ratio, blocks)
    for block in blocks:
        insert(network, block.branch, "se", SqueezeExcitation(block.channels, ratio, bias))
    return network
