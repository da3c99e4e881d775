"""ResNet for ImageNet and the plain networks it is measured against, built by torchvision.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016: table 1 for the depths, section 4.1
for the shortcuts A, B and C.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Any, Literal

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from explorer.architectures.options import Classes

Shortcut = Annotated[
    Literal["A", "B", "C"],
    "where maps change, A pads with zeros and B projects by a 1×1 convolution; C projects in every block",
]
StrideIn = Annotated[
    Literal["3x3", "1x1"],
    "which convolution of a bottleneck halves the maps: the 3×3 as in torchvision, or the first 1×1 as in the paper",
]


class PlainBlock(BasicBlock):  # type: ignore[misc]
    """The two 3×3 convolutions of a basic block without its shortcut."""

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: Any = None, *rest: Any, **named: Any
    ) -> None:
        super().__init__(inplanes, planes, stride, None, *rest, **named)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))  # type: ignore[no-any-return]


def padded_shortcut(new_channels: int, stride: int) -> nn.Sequential:
    """Option A: every `stride`-th cell, and zeros for the channels that are new."""
    before = new_channels // 2
    # Of (B, C, H, W) the "3-D" padding pads width, height and channels.
    return nn.Sequential(nn.AvgPool2d(1, stride), nn.ZeroPad3d((0, 0, 0, 0, before, new_channels - before)))


class TutorialBlock(nn.Module):
    """A block of the Keras tutorial: two normalised convolutions, a sum, and no ReLU after it."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _normalised(channels, filters, 3, stride)
        self.conv2 = _normalised(filters, filters, 3, 1)
        self.shortcut = _normalised(channels, filters, 3, stride) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.conv2(self.conv1(x)) + shortcut  # type: ignore[no-any-return]


def _normalised(channels: int, filters: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution with biases, ReLU, and batch normalisation last."""
    convolution = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2)
    nn.init.xavier_uniform_(convolution.weight)  # as Keras begins
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    layers = OrderedDict[str, nn.Module](conv=convolution, relu=nn.ReLU(), bn=nn.BatchNorm2d(filters, eps=1e-3))
    return nn.Sequential(layers)


def _basic(blocks: tuple[int, int, int, int], num_classes: int, shortcut: str) -> nn.Module:
    network: nn.Module = ResNet(BasicBlock, list(blocks), num_classes)
    if shortcut != "B":
        for module in network.modules():
            if isinstance(module, BasicBlock):
                _change_shortcut(module, shortcut)
    return network


def _change_shortcut(block: Any, shortcut: str) -> None:
    """Replaces the shortcut of one of torchvision's basic blocks, which is of option B."""
    channels, filters = block.conv1.in_channels, block.conv1.out_channels
    if shortcut == "A" and block.downsample is not None:
        block.downsample = padded_shortcut(filters - channels, block.stride)
    elif shortcut == "C" and block.downsample is None:
        projection = nn.Conv2d(channels, filters, 1, bias=False)
        nn.init.kaiming_normal_(projection.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's others
        block.downsample = nn.Sequential(projection, nn.BatchNorm2d(filters))


def _bottlenecks(blocks: tuple[int, int, int, int], num_classes: int, stride_in: str) -> nn.Module:
    network: nn.Module = ResNet(Bottleneck, list(blocks), num_classes)
    if stride_in == "1x1":
        for module in network.modules():
            if isinstance(module, Bottleneck):
                module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    return network


def resnet18(num_classes: Classes = 1000, shortcut: Shortcut = "B") -> nn.Module:
    """Builds ResNet-18: basic blocks 2, 2, 2, 2."""
    return _basic((2, 2, 2, 2), num_classes, shortcut)


def resnet34(num_classes: Classes = 1000, shortcut: Shortcut = "B") -> nn.Module:
    """Builds ResNet-34: basic blocks 3, 4, 6, 3."""
    return _basic((3, 4, 6, 3), num_classes, shortcut)


def resnet50(num_classes: Classes = 1000, stride_in: StrideIn = "3x3") -> nn.Module:
    """Builds ResNet-50: bottlenecks 3, 4, 6, 3."""
    return _bottlenecks((3, 4, 6, 3), num_classes, stride_in)


def resnet101(num_classes: Classes = 1000, stride_in: StrideIn = "3x3") -> nn.Module:
    """Builds ResNet-101: bottlenecks 3, 4, 23, 3."""
    return _bottlenecks((3, 4, 23, 3), num_classes, stride_in)


def resnet152(num_classes: Classes = 1000, stride_in: StrideIn = "3x3") -> nn.Module:
    """Builds ResNet-152: bottlenecks 3, 8, 36, 3."""
    return _bottlenecks((3, 8, 36, 3), num_classes, stride_in)


def plain18(num_classes: Classes = 1000) -> nn.Module:
    """Builds the plain network of 18 layers: ResNet-18 without its shortcuts."""
    module: nn.Module = ResNet(PlainBlock, [2, 2, 2, 2], num_classes)
    return module


def plain34(num_classes: Classes = 1000) -> nn.Module:
    """Builds the plain network of 34 layers: ResNet-34 without its shortcuts."""
    module: nn.Module = ResNet(PlainBlock, [3, 4, 6, 3], num_classes)
    return module


def resnet34_keras(num_classes: Classes = 10) -> nn.Module:
    """Builds the ResNet-34 of a widely copied Keras tutorial: biases, ReLU before normalisation, 3×3 shortcuts."""
    network = nn.Sequential(
        OrderedDict[str, nn.Module](conv1=_normalised(3, 64, 7, 2), pool1=nn.MaxPool2d(3, 2, padding=1))
    )
    channels = 64
    for stage, (blocks, filters) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=2):
        first = TutorialBlock(channels, filters, 1 if stage == 2 else 2)
        rest = [TutorialBlock(filters, filters, 1) for _ in range(blocks - 1)]
        network.add_module(f"stage{stage}", nn.Sequential(first, *rest))
        channels = filters
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(channels, num_classes))
    return network
