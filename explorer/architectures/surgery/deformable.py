"""Deformable convolutions in the place of spatial ones.

Dai et al., "Deformable Convolutional Networks", ICCV 2017 (v1: learned offsets); Zhu, Hu, Lin and Dai, "Deformable
ConvNets v2: More Deformable, Better Results", CVPR 2019 (v2: learned weights of the samples as well).
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn
from torchvision.ops import DeformConv2d

from explorer.architectures.options import Range
from explorer.architectures.surgery.plan import Plan, is_spatial
from explorer.architectures.surgery.se import Stages
from explorer.architectures.surgery.splice import Around, get, own_modules, replace
from explorer.errors import InputError

Version = Annotated[Literal["1", "2"], "1: learned offsets; 2: each sample also has a learned weight"]
Groups = Annotated[int, Range(1, 64), "groups of channels with offsets of their own; the channels must divide by them"]


class DeformableConvolution(Around):
    """A convolution that samples where `offset` says; version 2 also weighs the samples.

    Offsets start at zero, which makes it the convolution that it replaces; in version 2 all weights start at one half.
    """

    def __init__(self, plain: nn.Conv2d, version: str, groups: int) -> None:
        super().__init__()
        self.cells = plain.kernel_size[0] * plain.kernel_size[1] * groups
        self.offset = nn.Conv2d(
            plain.in_channels,
            self.cells * (2 if version == "1" else 3),
            plain.kernel_size,  # type: ignore[arg-type]
            plain.stride,  # type: ignore[arg-type]
            plain.padding,  # type: ignore[arg-type]
            plain.dilation,  # type: ignore[arg-type]
        )
        nn.init.zeros_(self.offset.weight)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)
        self.sigmoid = nn.Sigmoid() if version == "2" else None
        self.base = DeformConv2d(
            plain.in_channels,
            plain.out_channels,
            plain.kernel_size,
            plain.stride,
            plain.padding,
            plain.dilation,
            plain.groups,
            plain.bias is not None,
        )
        self.base.weight, self.base.bias = plain.weight, plain.bias  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        offset = self.offset(x)  # (B, 2 · cells, H, W), and as many weights as cells in version 2
        if self.sigmoid is None:
            return self.base(x, offset)  # type: ignore[no-any-return]
        weights = self.sigmoid(offset[:, 2 * self.cells :])
        return self.base(x, offset[:, : 2 * self.cells], weights)  # type: ignore[no-any-return]


def apply(
    network: nn.Module, plan: Plan, *, version: Version = "1", stages: Stages = "last", groups: Groups = 1
) -> nn.Module:
    """Makes the spatial convolutions of the chosen stages' blocks deformable; their weights stay.

    Raises:
        InputError: there is no such stage or no such convolution, or their channels do not divide by `groups`.
    """
    found = 0
    for block in plan.chosen(stages):
        for path, part in list(own_modules(get(network, block.path), block.path)):
            if not is_spatial(part) or type(part) is not nn.Conv2d or isinstance(part.padding, str):
                continue
            if part.in_channels % groups:
                raise InputError(f"groups must divide the {part.in_channels} channels of {path}, and {groups} does not")
            replace(network, path, DeformableConvolution(part, version, groups))
            found += 1
    if not found:
        raise InputError("these stages have no spatial convolution of torch's own kind with a fixed padding")
    return network
