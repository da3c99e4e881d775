"""Receptive fields against published numbers, and against which input pixels really move an output."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.inspection.anatomy import Anatomy, ReceptiveField
from explorer.inspection.capture import capture
from explorer.inspection.portrait import portray


def field_of(anatomy: Anatomy, name: str) -> ReceptiveField | None:
    return next(layer.receptive_field for layer in anatomy.layers if layer.name == name)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        # Araujo, Norris and Sim 2019, table of popular networks
        ("vgg16", "features.30", 212),
        ("torchvision:alexnet", "features.12", 195),
        ("torchvision:inception_v3", "Mixed_7c.cat#3", 1311),
        ("timm:inception_v4", "features.21.cat#3", 2071),
        ("timm:inception_resnet_v2", "conv2d_7b.conv", 3039),
        # the same with torchvision's stride in the 3×3
        ("resnet50", "layer4.2.relu#3", 427),
        ("resnet101", "layer4.2.relu#3", 971),
        ("resnet152", "layer4.2.relu#3", 1451),
    ],
)
def test_published_receptive_fields_are_reproduced(name: str, layer: str, size: int) -> None:
    field = field_of(portray(name).anatomy, layer)
    assert field is not None
    assert field.size == (size, size)
    assert field.stride == (32, 32)


def test_resnet50_field_is_centred_as_its_padding_says() -> None:
    field = field_of(portray("resnet50").anatomy, "layer4.2.relu#3")
    assert field == ReceptiveField(size=(427, 427), stride=(32, 32), start=(-213, -213))


# -- brute force ---------------------------------------------------------------------------------------------------


def make_sensitive(network: nn.Module) -> nn.Module:
    """Positive weights, and averages instead of maxima, so that no influence of a pixel cancels or is hidden."""
    network = copy.deepcopy(network).double().eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5 / max(parameter[0].numel() ** 0.5, 1), 1 / max(parameter[0].numel() ** 0.5, 1))
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode))
    return network


def seen_pixels(network: nn.Module, x: Tensor, cell: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Returns the first and last input index, per spatial dimension, that changes the cell of the last feature map."""
    x = x.clone().requires_grad_()
    output = network(x)
    output[(0, slice(None), *cell)].sum().backward()
    assert x.grad is not None
    touched = x.grad[0].abs().sum(0).nonzero()  # (pixels, dimensions)
    return tuple(zip(touched.amin(0).tolist(), touched.amax(0).tolist(), strict=True))


def assert_seen_as_told(network: nn.Module, shape: tuple[int, ...], cells: tuple[tuple[int, ...], ...]) -> None:
    anatomy = capture(copy.deepcopy(network).to("meta"), [shape])
    field = anatomy.layers[anatomy.output_layers[0]].receptive_field
    assert field is not None
    sensitive = make_sensitive(network)
    x = torch.rand(shape, dtype=torch.float64) + 0.5
    for cell in cells:
        firsts = [start + i * stride for start, i, stride in zip(field.start, cell, field.stride, strict=True)]
        told = tuple((first, first + size - 1) for first, size in zip(firsts, field.size, strict=True))
        assert all(first >= 0 and last < side for (first, last), side in zip(told, shape[2:], strict=True)), told
        assert seen_pixels(sensitive, x, cell) == told


class Branches(nn.Module):
    """Branches of different reach, one of them off centre, then a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.wide = nn.Conv2d(4, 4, (1, 7), padding=(0, 3))
        self.tall = nn.Conv2d(4, 4, (5, 1), padding=(2, 0))
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return torch.cat([self.wide(x), self.tall(x)], 1).relu() + torch.cat([x, self.pool(x)], 1)


class Lopsided(nn.Module):
    """Paddings and slices that take more from one side than from the other."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((2, 1, 0, 3))
        self.conv = nn.Conv2d(2, 3, 4, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pad(x))
        x = functional.pad(x, (1, 0))
        return x[:, :, 1::2, 3:-1:3]


class Functional(nn.Module):
    """Everything by function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 2, 3, 3))
        self.depthwise = nn.Parameter(torch.zeros(3, 1, 5, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight, stride=2, padding=1, dilation=2)
        x = functional.avg_pool2d(x, 3, 1, padding=1)
        return functional.conv2d(x, self.depthwise, padding="same", groups=3)


class OptionA(nn.Module):
    """The shortcut without parameters: every second cell, and zeros for the new channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x)) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))  # type: ignore[no-any-return]


def thin_resnet(blocks: list[int]) -> nn.Module:
    from torchvision.models.resnet import Bottleneck, ResNet

    network = ResNet(Bottleneck, blocks, width_per_group=2)
    return nn.Sequential(*list(network.children())[:-2])


def same_padding() -> nn.Module:
    from timm.layers import Conv2dSame

    return nn.Sequential(Conv2dSame(2, 3, 3, stride=2), Conv2dSame(3, 3, 5, stride=2, dilation=1), nn.ReLU())


@pytest.mark.parametrize(
    ("make", "shape", "cells"),
    [
        (lambda: nn.Conv2d(2, 3, 5, stride=3, padding=1), (1, 2, 32, 32), ((3, 4), (4, 5))),
        (lambda: nn.Conv2d(2, 3, 3, padding=4, dilation=4), (1, 2, 32, 32), ((9, 11), (10, 11))),
        (lambda: nn.Conv2d(2, 3, (3, 5), (1, 2), (0, 2), (2, 1)), (1, 2, 32, 32), ((8, 7), (9, 8))),
        (lambda: nn.Sequential(nn.Conv2d(2, 3, 4), nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 2, 2)), (1, 2, 9, 9), ((1, 1),)),
        (lambda: nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2)), (1, 2, 30, 30), ((2, 3), (3, 4))),
        (lambda: nn.Sequential(nn.BatchNorm2d(2), nn.PReLU(), nn.Conv2d(2, 2, 3)), (1, 2, 9, 9), ((2, 3),)),
        (Branches, (1, 2, 40, 40), ((9, 9), (10, 8))),
        (Lopsided, (1, 2, 30, 30), ((5, 4), (6, 5))),
        (Functional, (1, 2, 48, 48), ((11, 11), (12, 10))),
        (OptionA, (1, 2, 24, 24), ((5, 5), (6, 4))),
        (same_padding, (1, 2, 32, 32), ((3, 3), (4, 3))),
        (same_padding, (1, 2, 33, 37), ((3, 3), (4, 3))),
        (lambda: nn.Conv1d(2, 3, 5, stride=2, padding=1), (1, 2, 40), ((9,), (10,))),
        (lambda: nn.Conv3d(1, 2, (3, 3, 5), padding=(1, 0, 2)), (1, 1, 9, 9, 9), ((4, 3, 4),)),
        (lambda: thin_resnet([1, 1, 1, 1]), (1, 3, 352, 352), ((5, 5), (5, 6))),
        (lambda: thin_resnet([2, 1, 1, 2]), (1, 3, 512, 512), ((8, 7),)),
    ],
    ids=[
        "stride", "dilation", "oblong", "pool", "ceil-mode", "pointwise", "branches", "lopsided", "functional",
        "option-a", "same-even", "same-odd", "1d", "3d", "bottlenecks", "more-bottlenecks",
    ],
)  # fmt: skip
def test_a_cell_sees_the_pixels_that_its_field_names(
    make: Callable[[], nn.Module], shape: tuple[int, ...], cells: tuple[tuple[int, ...], ...]
) -> None:
    torch.manual_seed(0)
    assert_seen_as_told(make(), shape, cells)


# -- where there is none -------------------------------------------------------------------------------------------


class Calling(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class HiddenBlur(nn.Module):
    """A leaf that does not say how wide its window is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(2, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, padding=1, groups=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.adaptive_avg_pool2d(x, 1),
        lambda x: x.mean((2, 3), keepdim=True),
        lambda x: functional.interpolate(x, scale_factor=2.0),
        lambda x: x.flatten(1),
        lambda x: x @ x,
        lambda x: torch.einsum("bchw,bcvw->bchv", x, x),
        lambda x: x.transpose(2, 3),
        lambda x: x.permute(0, 1, 3, 2),
        lambda x: x.flip(3),
        lambda x: torch.roll(x, 1, 2),
        lambda x: x.softmax(3),
        lambda x: x[:, :, torch.arange(8).flip(0)],
        lambda x: x * x.mean((2, 3), keepdim=True),
        lambda x: functional.conv_transpose2d(x, torch.ones(2, 2, 3, 3), padding=1),
        nn.Linear(8, 8),
        nn.ConvTranspose2d(2, 2, 3, padding=1),
        HiddenBlur(),
    ],
    ids=[
        "adaptive-pool", "mean", "interpolate", "flatten", "matmul", "einsum", "transpose", "permute", "flip", "roll",
        "softmax-along-width", "gather", "gate-from-mean", "transposed-function", "linear-along-width",
        "transposed-convolution", "unknown-window",
    ],
)  # fmt: skip
def test_no_field_is_told_where_the_window_is_unknown(function: Callable[[Tensor], Tensor]) -> None:
    anatomy = capture(Calling(function).to("meta"), [(1, 2, 8, 8)])
    assert anatomy.failure is None
    assert anatomy.layers[anatomy.output_layers[0]].receptive_field is None


def test_no_field_is_told_where_branches_of_different_stride_meet() -> None:
    class Meeting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.coarse = nn.Conv2d(1, 1, 3, stride=2, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.coarse(x) + x[:, :, :4, :4]  # type: ignore[no-any-return]

    anatomy = capture(Meeting().to("meta"), [(1, 1, 8, 8)])
    assert [layer.receptive_field is None for layer in anatomy.layers] == [False, False, True]


def test_weights_computed_from_parameters_do_not_hide_the_field() -> None:
    from torch.nn.utils import parametrizations

    network = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(1, 2, 3, padding=1)), nn.Conv2d(2, 1, 3))
    anatomy = capture(network.to("meta"), [(1, 1, 8, 8)])
    assert anatomy.layers[-1].receptive_field == ReceptiveField((5, 5), (1, 1), (-1, -1))


def test_a_window_over_more_dimensions_than_the_input_has_is_no_field() -> None:
    anatomy = capture(nn.Sequential(nn.Conv3d(1, 2, 3)).to("meta"), [(1, 8, 8, 8)])  # taken as one clip, no batch
    assert anatomy.failure is None
    assert anatomy.layers[0].receptive_field is None


def test_every_layer_of_a_plain_stack_has_its_field() -> None:
    anatomy = portray("vgg16").anatomy
    convolutions = [layer.receptive_field for layer in anatomy.layers if layer.type == "Conv2d"]
    sizes = [field.size[0] for field in convolutions if field is not None]
    assert sizes == [3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196]
