"""Dilated residual networks: ResNets that stop shrinking the image at an eighth of its size.

Yu, Koltun and Funkhouser, "Dilated Residual Networks", CVPR 2017, for A, B and C; D, which takes the shortcuts of the
first and last layers away, from the authors' code, github.com/fyu/drn.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

from torch import Tensor, nn

from explorer.architectures.options import Classes

SHALLOW, DEEP = (2, 2, 2, 2), (3, 4, 6, 3)
"""Blocks in the four stages that a ResNet has too: of ResNet-18, of ResNet-34 and 50."""


def _convolution(channels: int, filters: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, filters, kernel, stride, padding, dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, and a shortcut around them unless it is left out.

    `discarded` computes a shortcut and throws it away.
    """

    expansion = 1

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
        shortcut: bool = True,
        discarded: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, 3, stride, dilations[0])
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, dilation=dilations[1])
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(channels, width, stride) if shortcut else None
        self.discarded = _shortcut(channels, width, stride) if discarded else None

    def forward(self, x: Tensor) -> Tensor:
        if self.discarded is not None:
            self.discarded(x)
        out: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return self.relu(out)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """A 3×3 convolution between two of 1×1, the last of which gives four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride, dilations[1])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out)))))
        return self.relu(out + self.shortcut(x))  # type: ignore[no-any-return]


def _shortcut(channels: int, filters: int, stride: int) -> nn.Module:
    if stride == 1 and channels == filters:
        return nn.Identity()
    return nn.Sequential(_convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters))


Block = type[BasicBlock] | type[Bottleneck]


def _stage(
    block: Block, channels: int, width: int, count: int, stride: int = 1, first: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Returns `count` blocks; `first` is the dilation of the first 3×3 convolution of a basic block."""
    blocks = [block(channels, width, stride, (first, dilation))]
    blocks += [block(width * block.expansion, width, dilations=(dilation, dilation)) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def _plain(channels: int, width: int, count: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Returns 3×3 convolutions in a row, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for index in range(count):
        before, step = (channels, stride) if index == 0 else (width, 1)
        layers += [_convolution(before, width, 3, step, dilation), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _finish(layers: OrderedDict[str, nn.Module], channels: int, num_classes: int) -> nn.Module:
    """Adds the classifier, a 1×1 convolution that could as well run on the maps, and draws the first weights."""
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["fc"] = nn.Conv2d(channels, num_classes, 1)
    layers["flatten"] = nn.Flatten()
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _a(block: Block, counts: tuple[int, ...], num_classes: int) -> nn.Module:
    """Builds a ResNet whose last two stages keep the size and are dilated by 2 and 4 instead."""
    wide = block.expansion
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=_convolution(3, 64, 7, 2),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, 2, padding=1),
        layer1=_stage(block, 64, 64, counts[0]),
        layer2=_stage(block, 64 * wide, 128, counts[1], stride=2),
        # What stood before the stride that is gone saw with the dilation of the stage before (section 2).
        layer3=_stage(block, 128 * wide, 256, counts[2], first=1, dilation=2),
        layer4=_stage(block, 256 * wide, 512, counts[3], first=2, dilation=4),
    )
    return _finish(layers, 512 * wide, num_classes)


def _degridded(
    form: Literal["B", "C", "D"],
    block: Block,
    counts: tuple[int, ...],
    num_classes: int,
    tail: int = 1,
    discarded: bool = False,
) -> nn.Module:
    """Builds eight levels: convolutions in place of the pool, and a tail of falling dilation against grid patterns.

    Args:
        form: "B" has shortcuts at all levels, "C" none in the tail, "D" plain convolutions at both ends.
        block: of levels 3 to 6.
        counts: blocks of these.
        num_classes: maps of the classifier.
        tail: blocks, or plain convolutions of "D", at each of the levels 7 and 8.
        discarded: whether level 7 computes a shortcut that it does not add.
    """
    wide = block.expansion

    def end(channels: int, width: int, stride: int = 1, dilation: int = 1) -> nn.Module:
        last = width == 512
        if form == "D":
            return _plain(channels, width, tail if last else 1, stride, dilation)
        shortcut = form == "B" or not last
        return nn.Sequential(
            BasicBlock(
                channels, width, stride, (dilation, dilation), shortcut, discarded and last and channels != width
            )
        )

    layers: OrderedDict[str, nn.Module] = OrderedDict(
        layer0=nn.Sequential(_convolution(3, 16, 7), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
        layer1=end(16, 16),
        layer2=end(16, 32, stride=2),
        layer3=_stage(block, 32, 64, counts[0], stride=2),
        layer4=_stage(block, 64 * wide, 128, counts[1], stride=2),
        layer5=_stage(block, 128 * wide, 256, counts[2], first=2, dilation=2),
        layer6=_stage(block, 256 * wide, 512, counts[3], first=4, dilation=4),
        layer7=end(512 * wide, 512, dilation=2),
        layer8=end(512, 512),
    )
    return _finish(layers, 512, num_classes)


def drn_a_18(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-A-18: ResNet-18 with dilation in place of its last two strides."""
    return _a(BasicBlock, SHALLOW, num_classes)


def drn_a_34(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-A-34: ResNet-34 with dilation in place of its last two strides."""
    return _a(BasicBlock, DEEP, num_classes)


def drn_a_50(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-A-50: ResNet-50 with dilation in place of its last two strides."""
    return _a(Bottleneck, DEEP, num_classes)


def drn_b_26(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-B-26: convolutions for the pool, two blocks more at the end, shortcuts everywhere."""
    return _degridded("B", BasicBlock, SHALLOW, num_classes)


def drn_c_26(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-C-26: as B, without the shortcuts of its last two blocks."""
    return _degridded("C", BasicBlock, SHALLOW, num_classes)


def drn_c_42(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-C-42: as C-26, with the blocks of ResNet-34."""
    return _degridded("C", BasicBlock, DEEP, num_classes)


def drn_c_58(
    num_classes: Classes = 1000,
    discarded: Annotated[bool, "the projection of level 7 that the authors' code computes and throws away"] = False,
) -> nn.Module:
    """Builds DRN-C-58: as C-42, with bottlenecks."""
    return _degridded("C", Bottleneck, DEEP, num_classes, discarded=discarded)


def drn_d_22(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-22: as C-26, with one plain convolution for each block of the first and last levels."""
    return _degridded("D", BasicBlock, SHALLOW, num_classes)


def drn_d_24(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-24: as D-22, with two convolutions at each of the last levels."""
    return _degridded("D", BasicBlock, SHALLOW, num_classes, tail=2)


def drn_d_38(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-38: as D-22, with the blocks of ResNet-34."""
    return _degridded("D", BasicBlock, DEEP, num_classes)


def drn_d_40(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-40: as D-38, with two convolutions at each of the last levels."""
    return _degridded("D", BasicBlock, DEEP, num_classes, tail=2)


def drn_d_54(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-54: as D-38, with bottlenecks."""
    return _degridded("D", Bottleneck, DEEP, num_classes)


def drn_d_56(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-56: as D-54, with two convolutions at each of the last levels."""
    return _degridded("D", Bottleneck, DEEP, num_classes, tail=2)


def drn_d_105(num_classes: Classes = 1000) -> nn.Module:
    """Builds DRN-D-105: as D-54, with the blocks of ResNet-101."""
    return _degridded("D", Bottleneck, (3, 4, 23, 3), num_classes)
