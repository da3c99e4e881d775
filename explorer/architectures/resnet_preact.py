"""Pre-activation ResNet: for CIFAR, and for ImageNet built by timm.

He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016: figure 4(e) and the appendix.
"""

from __future__ import annotations

from collections import OrderedDict

from timm.layers import BatchNormAct2d, create_conv2d
from timm.models.resnetv2 import ResNetV2
from torch import Tensor, nn

from explorer.architectures.options import Classes
from explorer.architectures.resnet import padded_shortcut


class PreActivation(nn.Sequential):
    """Batch normalisation, ReLU and a convolution that takes them in, in this order."""

    bn: nn.BatchNorm2d
    relu: nn.ReLU
    conv: nn.Conv2d

    def __init__(self, channels: int, filters: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            OrderedDict[str, nn.Module](
                bn=nn.BatchNorm2d(channels),
                relu=nn.ReLU(inplace=True),
                conv=nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False),
            )
        )


class PreActivationUnit(nn.Module):
    """A residual unit with nothing on its way out: the sum is passed on as it is.

    Where the maps change, the residual and the shortcut both start from the normalised maps, as in the authors' code.
    """

    def __init__(self, residual: list[PreActivation], shortcut: nn.Module | None) -> None:
        super().__init__()
        first, *rest = residual
        self.bn1, self.relu1, self.conv1 = first.bn, first.relu, first.conv
        self.rest = nn.Sequential(*rest)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu1(self.bn1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        return self.rest(self.conv1(active)) + kept  # type: ignore[no-any-return]


def _basic(channels: int, filters: int, stride: int) -> PreActivationUnit:
    """Two 3×3 convolutions, and option A where the maps change."""
    residual = [PreActivation(channels, filters, 3, stride), PreActivation(filters, filters, 3)]
    shortcut = padded_shortcut(filters - channels, stride) if channels != filters else None
    return PreActivationUnit(residual, shortcut)


def _bottleneck(channels: int, filters: int, stride: int) -> PreActivationUnit:
    """1×1, 3×3 and 1×1 convolutions, the first with the stride, and a projection where the maps change."""
    inner = filters // 4
    residual = [
        PreActivation(channels, inner, 1, stride),
        PreActivation(inner, inner, 3),
        PreActivation(inner, filters, 1),
    ]
    shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False) if channels != filters else None
    return PreActivationUnit(residual, shortcut)


def _cifar(blocks: int, bottleneck: bool, num_classes: int) -> nn.Module:
    """A 3×3 convolution, three stages of `blocks` units and a last normalisation."""
    unit, widths = (_bottleneck, (64, 128, 256)) if bottleneck else (_basic, (16, 32, 64))
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False))
    channels = 16
    for stage, filters in enumerate(widths, start=1):
        first = unit(channels, filters, 1 if stage == 1 else 2)
        layers[f"stage{stage}"] = nn.Sequential(first, *(unit(filters, filters, 1) for _ in range(blocks - 1)))
        channels = filters
    layers |= OrderedDict(norm=nn.BatchNorm2d(channels), relu=nn.ReLU(inplace=True), avgpool=nn.AdaptiveAvgPool2d(1))
    layers |= OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(channels, num_classes))
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # as the authors' code
    nn.init.zeros_(layers["fc"].bias)  # type: ignore[arg-type]
    return network


def preact_resnet110_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the pre-activation ResNet-110 for CIFAR: 18 basic units a stage, shortcuts of option A."""
    return _cifar(18, False, num_classes)


def preact_resnet164_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the pre-activation ResNet-164 for CIFAR: 18 bottlenecks a stage."""
    return _cifar(18, True, num_classes)


def preact_resnet1001_cifar(num_classes: Classes = 10) -> nn.Module:
    """Builds the pre-activation ResNet-1001 for CIFAR: 111 bottlenecks a stage."""
    return _cifar(111, True, num_classes)


def _imagenet(blocks: tuple[int, int, int, int], num_classes: int) -> nn.Module:
    network: nn.Module = ResNetV2(
        layers=list(blocks), num_classes=num_classes, conv_layer=create_conv2d, norm_layer=BatchNormAct2d
    )
    return network


def resnetv2_50(num_classes: Classes = 1000) -> nn.Module:
    """Builds the pre-activation ResNet-50: bottlenecks 3, 4, 6, 3."""
    return _imagenet((3, 4, 6, 3), num_classes)


def resnetv2_101(num_classes: Classes = 1000) -> nn.Module:
    """Builds the pre-activation ResNet-101: bottlenecks 3, 4, 23, 3."""
    return _imagenet((3, 4, 23, 3), num_classes)


def resnetv2_152(num_classes: Classes = 1000) -> nn.Module:
    """Builds the pre-activation ResNet-152: bottlenecks 3, 8, 36, 3."""
    return _imagenet((3, 8, 36, 3), num_classes)


def preact_resnet200(num_classes: Classes = 1000) -> nn.Module:
    """Builds the pre-activation ResNet-200: bottlenecks 3, 24, 36, 3, and a stem that is normalised before pooling."""
    network = _imagenet((3, 24, 36, 3), num_classes)
    stem = network.get_submodule("stem")
    layers = OrderedDict[str, nn.Module](
        conv=stem.get_submodule("conv"), norm=BatchNormAct2d(64), pool=stem.get_submodule("pool")
    )
    network.add_module("stem", nn.Sequential(layers))
    return network
