"""Network in Network for CIFAR-10.

Lin, Chen and Yan, "Network In Network", ICLR 2014, section 4 and figure 2.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from explorer.architectures.options import Classes, Probability


def _mlpconv(channels: int, filters: tuple[int, int, int], kernel: int) -> nn.Sequential:
    """Returns a convolution and two 1×1 ones: a small perceptron that slides over the maps."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    sizes = (kernel, 1, 1)
    for index, (size, (before, after)) in enumerate(zip(sizes, pairwise((channels, *filters)), strict=True), 1):
        layers[f"conv{index}"] = nn.Conv2d(before, after, size, padding=size // 2)
        layers[f"relu{index}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def nin_cifar(num_classes: Classes = 10, dropout: Probability = 0.5) -> nn.Module:
    """Builds three mlpconv layers of 192-160-96, 192-192-192 and 192-192-classes maps, without any dense layer."""
    network = nn.Sequential(
        OrderedDict[str, nn.Module](
            mlpconv1=_mlpconv(3, (192, 160, 96), 5),  # (B, 96, 32, 32)
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 96, 16, 16)
            dropout1=nn.Dropout(dropout),
            mlpconv2=_mlpconv(96, (192, 192, 192), 5),  # (B, 192, 16, 16)
            pool2=nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 192, 8, 8)
            dropout2=nn.Dropout(dropout),
            mlpconv3=_mlpconv(192, (192, 192, num_classes), 3),  # (B, num_classes, 8, 8)
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
        )
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):  # torch's default shrinks the signal to nothing over nine layers
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return network
