"""The convolutional block attention module at the end of each block's residual branch, with the paper's ablations.

Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018, tables 1 to 3; the layout (biases in
the shared perceptron, batch normalisation after the spatial convolution) is that of the authors' code.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from explorer.architectures.surgery.plan import Plan
from explorer.architectures.surgery.se import Ratio, Stages, check_ratio
from explorer.architectures.surgery.splice import Inserted, insert
from explorer.errors import InputError

Order = Annotated[
    Literal["channel-first", "spatial-first", "parallel"],
    "which attention comes first (table 3); parallel: both see the input, which is multiplied by both",
]
Channel = Annotated[bool, "attention over channels"]
Spatial = Annotated[bool, "attention over places"]
ChannelPooling = Annotated[Literal["avg+max", "avg", "max"], "what describes a channel (table 1)"]
SpatialPooling = Annotated[
    Literal["avg+max", "conv"], "what describes a place: mean and maximum over channels, or a 1×1 convolution (table 2)"
]
Kernel = Annotated[Literal["3", "7"], "side of the spatial convolution (table 2)"]


class ChannelAttention(nn.Module):
    """Says how much each channel counts: (B, C, H, W) to (B, C, 1, 1)."""

    def __init__(self, channels: int, ratio: int, pooling: str) -> None:
        super().__init__()
        pools = {"avg": nn.AdaptiveAvgPool2d(1), "max": nn.AdaptiveMaxPool2d(1)}
        self.pools = nn.ModuleDict({name: pools[name] for name in pooling.split("+")})
        self.fc1 = nn.Conv2d(channels, channels // ratio, 1)  # dense layers over a single cell
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(channels // ratio, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor | None = None
        for pool in self.pools.values():
            answer = self.fc2(self.relu(self.fc1(pool(x))))
            total = answer if total is None else total + answer
        return self.sigmoid(total)  # type: ignore[no-any-return]


class SpatialAttention(nn.Module):
    """Says how much each place counts: (B, C, H, W) to (B, 1, H, W)."""

    def __init__(self, channels: int, pooling: str, kernel: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, 1, 1, bias=False) if pooling == "conv" else None
        self.conv = nn.Conv2d(1 if pooling == "conv" else 2, 1, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(1, momentum=0.01)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        if self.reduce is not None:
            described = self.reduce(x)  # (B, 1, H, W)
        else:
            described = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)  # (B, 2, H, W)
        return self.sigmoid(self.bn(self.conv(described)))  # type: ignore[no-any-return]


class BlockAttention(Inserted):
    """Attention over channels and over places, one after the other or side by side."""

    def __init__(self, channel: ChannelAttention | None, spatial: SpatialAttention | None, order: str) -> None:
        super().__init__()
        self.channel = channel
        self.spatial = spatial
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        kinds = [kind for kind in (self.channel, self.spatial) if kind is not None]
        if self.order == "parallel":
            maps = [kind(x) for kind in kinds]
            for weights in maps:
                x = x * weights
            return x
        for kind in reversed(kinds) if self.order == "spatial-first" else kinds:
            x = x * kind(x)
        return x


def apply(
    network: nn.Module,
    plan: Plan,
    *,
    ratio: Ratio = 16,
    order: Order = "channel-first",
    channel: Channel = True,
    spatial: Spatial = True,
    channel_pooling: ChannelPooling = "avg+max",
    spatial_pooling: SpatialPooling = "avg+max",
    kernel: Kernel = "7",
    stages: Stages = "all",
) -> nn.Module:
    """Adds attention over channels and places to the blocks of the chosen stages, before a skip is added.

    Raises:
        InputError: both kinds are off, there is no such stage, or the ratio is larger than the narrowest block.
    """
    if not (channel or spatial):
        raise InputError("channel must be true where spatial is false: without both there is no attention left")
    blocks = plan.chosen(stages)
    if channel:
        check_ratio(ratio, blocks)
    for block in blocks:
        over_channels = ChannelAttention(block.channels, ratio, channel_pooling) if channel else None
        over_places = SpatialAttention(block.channels, spatial_pooling, int(kernel)) if spatial else None
        insert(network, block.branch, "cbam", BlockAttention(over_channels, over_places, order))
    return network
