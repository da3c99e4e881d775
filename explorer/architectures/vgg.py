"""VGG: the paper's configurations A to E, and D for CIFAR and without its dense layers.

torchvision builds A, B, D and E and the layers that the others share with them.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import nn
from torchvision import models
from torchvision.models.vgg import VGG, cfgs, make_layers

from explorer.architectures.alexnet import draw_he, response_normalisation
from explorer.architectures.options import Classes, Probability
from explorer.architectures.sizes import flattened_size

BatchNorm = Annotated[bool, "batch normalisation after each convolution, which the paper does not have"]


def _vgg(depth: int, num_classes: int, batch_norm: bool, dropout: float) -> nn.Module:
    builder = getattr(models, f"vgg{depth}_bn" if batch_norm else f"vgg{depth}")
    module: nn.Module = builder(num_classes=num_classes, dropout=dropout)
    return module


def vgg11(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration A: 8 convolutions, 3 dense layers."""
    return _vgg(11, num_classes, batch_norm, dropout)


def vgg13(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration B: 10 convolutions, 3 dense layers."""
    return _vgg(13, num_classes, batch_norm, dropout)


def vgg16(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration D: 13 convolutions, 3 dense layers."""
    return _vgg(16, num_classes, batch_norm, dropout)


def vgg19(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration E: 16 convolutions, 3 dense layers."""
    return _vgg(19, num_classes, batch_norm, dropout)


def vgg11_lrn(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration A-LRN: A with the response normalisation of AlexNet after its first convolution."""
    features = make_layers(cfgs["A"], batch_norm)
    first_relu = next(index for index, layer in enumerate(features) if isinstance(layer, nn.ReLU))
    features.insert(first_relu + 1, response_normalisation())
    return VGG(features, num_classes, dropout=dropout)  # type: ignore[no-any-return]


def vgg16_c(num_classes: Classes = 1000, batch_norm: BatchNorm = False, dropout: Probability = 0.5) -> nn.Module:
    """Builds configuration C: D with 1×1 kernels in the last convolution of its last three stages."""
    features = make_layers(cfgs["D"], batch_norm)
    convolutions = [index for index, layer in enumerate(features) if isinstance(layer, nn.Conv2d)]
    for index, width in zip((convolutions[6], convolutions[9], convolutions[12]), (256, 512, 512), strict=True):
        features[index] = nn.Conv2d(width, width, 1)
    return VGG(features, num_classes, dropout=dropout)  # type: ignore[no-any-return]


def vgg16_cifar(
    num_classes: Classes = 10,
    batch_norm: BatchNorm = False,
    dropout: Probability = 0.5,
    *,
    input: tuple[int, int, int] = (3, 32, 32),
) -> nn.Module:
    """Builds the convolutions of configuration D and three dense layers for what they leave of a 32×32 image."""
    features = make_layers(cfgs["D"], batch_norm)
    classifier = nn.Sequential(
        nn.Linear(flattened_size(features, input, canonical=512), 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(4096, num_classes),
    )
    network = nn.Sequential(OrderedDict(features=features, flatten=nn.Flatten(), classifier=classifier))
    draw_he(network)
    return network


def vgg16_headless(batch_norm: BatchNorm = False) -> nn.Module:
    """Builds the convolutions of configuration D alone, (B, 3, H, W) to (B, 512, H / 32, W / 32)."""
    features = make_layers(cfgs["D"], batch_norm)
    for module in features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return features  # type: ignore[no-any-return]
