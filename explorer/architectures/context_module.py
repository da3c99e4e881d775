"""The context module: dilated convolutions that see far and keep every cell.

Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016, section 3 and table 1.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

import torch
from torch import nn

DILATIONS = (1, 1, 2, 4, 8, 16, 1)
"""Of the seven 3×3 convolutions; a 1×1 convolution follows."""
BASIC = (1, 1, 1, 1, 1, 1, 1, 1)
LARGE = (2, 2, 4, 8, 16, 32, 32, 1)
"""Maps of the eight layers, in multiples of the input's."""
NOISE = 1e-3
"""Standard deviation that tells maps with the same origin apart; the paper wants it far below 1/32."""

Start = Annotated[Literal["identity", "random"], "first weights: those that pass the input on, or random ones"]


def _pass_on(convolution: nn.Conv2d, maps: int, noise: float) -> None:
    """Sets weights with which every output map is the mean of the input maps of its origin (equations 4 and 5).

    Args:
        convolution: of an odd kernel.
        maps: C of the paper, which both its inputs and its outputs are multiples of.
        noise: standard deviation of what is added.
    """
    filters, channels, side, _ = convolution.weight.shape
    origin = torch.arange(channels) * maps // channels
    target = torch.arange(filters) * maps // filters
    same = (target[:, None] == origin[None, :]).to(convolution.weight.dtype) * (maps / filters)
    with torch.no_grad():
        nn.init.normal_(convolution.weight, std=noise)
        convolution.weight[:, :, side // 2, side // 2] += same
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]


def _context(multiples: tuple[int, ...], start: str, maps: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = maps
    for index, multiple in enumerate(multiples, 1):
        filters = maps * multiple
        if index <= len(DILATIONS):
            dilation = DILATIONS[index - 1]
            layers[f"layer{index}"] = nn.Conv2d(channels, filters, 3, padding=dilation, dilation=dilation)
            layers[f"relu{index}"] = nn.ReLU(inplace=True)
        else:
            layers[f"layer{index}"] = nn.Conv2d(channels, filters, 1)
        channels = filters
    noise = 0.0 if max(multiples) == 1 else NOISE
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            if start == "identity":
                _pass_on(layer, maps, noise)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(layers)


def context_module(start: Start = "identity", *, input: tuple[int, int, int] = (21, 64, 64)) -> nn.Module:
    """Builds the basic module, (B, C, H, W) to the same shape: C maps in every layer."""
    return _context(BASIC, start, input[0])


def context_module_large(start: Start = "identity", *, input: tuple[int, int, int] = (21, 64, 64)) -> nn.Module:
    """Builds the large module, (B, C, H, W) to the same shape: up to 32 C maps in between."""
    return _context(LARGE, start, input[0])
