"""Receptive fields against published numbers, and against which input pixels really move an output."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.architectures.registry import build, entry
from explorer.inspection.anatomy import Anatomy, Layer, ReceptiveField
from explorer.inspection.capture import capture
from explorer.inspection.field_arithmetic import GLOBAL, clipped, input_patch
from explorer.inspection.portrait import portray
from explorer.inspection.report import document, field_text, to_csv


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
        ("timm:mobilenetv1_100", "blocks.4.1.bn2.act", 315),
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
    assert field == ReceptiveField(size=(427, 427), stride=(32, 32), start=(-213, -213), cells=(7, 7))


def stride_in_first_convolution(network: nn.Module) -> None:
    """The arrangement of He et al. 2016: a block's first 1×1 convolution takes the larger steps."""
    for block in network.modules():
        if type(block).__name__ == "Bottleneck":
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)  # type: ignore[union-attr]


def stride_in_last_unit(network: nn.Module) -> None:
    """The arrangement of TF-slim's resnet_v1: the 3×3 of a stage's last unit takes the larger steps."""
    network.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for stage, following in (
        (network.layer1, network.layer2),
        (network.layer2, network.layer3),
        (network.layer3, network.layer4),
    ):
        last, first = stage[-1], following[0]  # type: ignore[index]
        last.conv2.stride, last.downsample = (2, 2), nn.MaxPool2d(1, 2)
        first.conv2.stride = first.downsample[0].stride = (1, 1)


@pytest.mark.parametrize("arrange", [stride_in_first_convolution, stride_in_last_unit])
@pytest.mark.parametrize(
    ("name", "size", "padding"), [("resnet50", 483, 239), ("resnet101", 1027, 511), ("resnet152", 1507, 751)]
)
def test_resnets_with_their_strides_placed_otherwise_give_the_published_fields(
    name: str, size: int, padding: int, arrange: Callable[[nn.Module], None]
) -> None:
    network = build(entry(name), device="meta")
    arrange(network)
    field = field_of(capture(network, [(1, 3, 224, 224)]), "layer4.2.relu#3")
    assert field is not None
    assert (field.size, field.stride, field.cells) == ((size, size), (32, 32), (7, 7))
    if arrange is stride_in_last_unit:  # Araujo et al. print the padding of this arrangement
        assert field.start == (-padding, -padding)


def test_mobilenet_with_padding_as_in_tensorflow_starts_where_the_published_table_says() -> None:
    import timm

    with torch.device("meta"):
        network = timm.create_model("mobilenetv1_100", pad_type="same")
    field = field_of(capture(network, [(1, 3, 224, 224)]), "blocks.4.1.bn2.act")
    assert field == ReceptiveField((315, 315), (32, 32), (-126, -126), (7, 7))


def test_vgg16_starts_where_the_published_table_says() -> None:
    field = field_of(portray("vgg16").anatomy, "features.30")
    assert field is not None
    assert field.start == (-90, -90)


# -- brute force ---------------------------------------------------------------------------------------------------


def make_sensitive(network: nn.Module) -> nn.Module:
    """Positive weights, and averages instead of maxima, so that no influence of a pixel cancels or is hidden."""
    network = copy.deepcopy(network).double().eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5 / max(parameter[0].numel() ** 0.5, 1), 1 / max(parameter[0].numel() ** 0.5, 1))
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6 | nn.Dropout):
                setattr(module, name, nn.ReLU())  # no value is too large to count
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


class Whitening(nn.Module):
    """A leaf that keeps the shape and says nothing of what it does inside."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((2, 3), keepdim=True)


def outcome(function: Callable[[Tensor], Tensor], shape: tuple[int, ...] = (1, 2, 8, 8)) -> ReceptiveField | None:
    anatomy = capture(Calling(function).to("meta"), [shape])
    assert anatomy.failure is None
    return anatomy.layers[anatomy.output_layers[0]].receptive_field


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.interpolate(x, scale_factor=2.0),
        lambda x: functional.interpolate(x, size=(5, 5)),
        lambda x: x @ x,
        lambda x: torch.einsum("bchw,bcvw->bchv", x, x),
        lambda x: x.flip(3),
        lambda x: torch.roll(x, 1, 2),
        lambda x: x.softmax(3),
        lambda x: x.mean(3),
        lambda x: x[:, :, torch.arange(8).flip(0)],
        lambda x: x[:, :, 3],
        lambda x: functional.max_pool2d(x.view(1, 2, 16, 4), 2),
        lambda x: torch.cat([x, x], 2),
        lambda x: x[:, :, :3, :3].mean((2, 3)),
        lambda x: functional.pixel_shuffle(x.repeat(1, 2, 1, 1), 2),
        lambda x: functional.adaptive_avg_pool2d(x, 3),
        lambda x: functional.conv_transpose2d(x, torch.ones(2, 2, 3, 3), stride=2),
        nn.Linear(8, 8),
        nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1),
        HiddenBlur(),
        Whitening(),
    ],
    ids=[
        "interpolate", "resize", "matmul", "einsum", "flip", "roll", "softmax-along-width", "strips", "gather", "row",
        "mixed-up-view", "stacked-along-height", "mean-of-a-corner", "pixel-shuffle", "uneven-pool",
        "transposed-function", "linear-along-width", "transposed-convolution", "unknown-window",
        "unseen",
    ],
)  # fmt: skip
def test_no_field_is_told_where_no_one_window_describes_the_cells(function: Callable[[Tensor], Tensor]) -> None:
    assert outcome(function) is None


def windowed_attention(x: Tensor) -> Tensor:
    """Attention within windows of 4×4 cells, as in Swin."""
    windows = x.view(1, 2, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(4, 16, 2)
    mixed = (windows @ windows.transpose(1, 2)).softmax(-1) @ windows
    return mixed.view(1, 2, 2, 4, 4, 2).permute(0, 5, 1, 3, 2, 4).reshape(1, 2, 8, 8)


def test_windowed_attention_has_no_one_window_and_its_mean_sees_everything() -> None:
    assert outcome(windowed_attention) is None
    assert outcome(lambda x: windowed_attention(x).mean((2, 3))) == GLOBAL


# -- where the layout changes --------------------------------------------------------------------------------------

PIXEL = ReceptiveField((1, 1), (1, 1), (0, 0), (8, 8))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.flatten(1),
        lambda x: x.transpose(2, 3),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: functional.layer_norm(x.permute(0, 2, 3, 1), (2,)).permute(0, 3, 1, 2),
        lambda x: x.view(1, 2, 64).transpose(1, 2),
        lambda x: x.view(1, 1, 2, 8, 8).transpose(1, 2).reshape(1, 2, 8, 8),
        lambda x: torch.cat([x.chunk(2, 1)[1], x], 1),
        lambda x: torch.cat(x.split([1, 1], 1), 1),
        lambda x: torch.stack([x, x], 1).sum(1),
        lambda x: x.view(1, 2, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(4, 16, 2),
        lambda x: x.view(1, 2, 2, 4, 2, 4).permute(0, 1, 2, 4, 3, 5).transpose(3, 4).reshape(1, 2, 8, 8).relu(),
        lambda x: x.permute(0, 2, 3, 1) @ torch.ones(2, 3, device="meta"),
        lambda x: x.unsqueeze(1).squeeze(1),
        lambda x: x.roll(1, 1),
        lambda x: functional.interpolate(x, size=(8, 8)),
        nn.GLU(1),
    ],
    ids=[
        "flatten", "transpose", "channels-last", "norm-channels-last", "tokens", "channel-shuffle", "chunk", "split",
        "stack", "windows", "there-and-back", "linear-channels-last", "squeeze", "roll-of-channels", "same-size",
        "gate",
    ],
)  # fmt: skip
def test_moving_axes_and_channels_keeps_the_field(function: Callable[[Tensor], Tensor]) -> None:
    assert outcome(function) == PIXEL


def focus(x: Tensor) -> Tensor:
    return torch.cat([x[..., ::2, ::2], x[..., 1::2, 1::2]], 1)


def pad_channels_last(x: Tensor) -> Tensor:
    return functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2))


@pytest.mark.parametrize(
    ("function", "field"),
    [
        (lambda x: functional.pixel_unshuffle(x, 2), ReceptiveField((2, 2), (2, 2), (0, 0), (4, 4))),
        (lambda x: functional.adaptive_avg_pool2d(x, (4, 2)), ReceptiveField((2, 4), (2, 4), (0, 0), (4, 2))),
        (lambda x: functional.interpolate(x, size=(4, 2)), ReceptiveField((1, 1), (2, 4), (0, 0), (4, 2))),
        (focus, ReceptiveField((2, 2), (2, 2), (0, 0), (4, 4))),
        (lambda x: x.permute(0, 2, 3, 1)[:, 1::3, -4:], ReceptiveField((1, 1), (3, 1), (1, 4), (3, 4))),
        (pad_channels_last, ReceptiveField((1, 1), (1, 1), (0, -1), (8, 11))),
        (nn.ConvTranspose2d(2, 2, 3, padding=1), ReceptiveField((3, 3), (1, 1), (-1, -1), (8, 8))),
    ],
    ids=["unshuffle", "even-pool", "every-second", "focus", "slice-channels-last", "pad-channels-last", "transposed"],
)  # fmt: skip
def test_windows_that_come_without_a_kernel(function: Callable[[Tensor], Tensor], field: ReceptiveField) -> None:
    assert outcome(function) == field


def test_a_video_taken_frame_by_frame_keeps_one_frame_each() -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:  # (B, C, T, H, W)
            x = x.transpose(1, 2)
            x = self.conv(x.reshape(-1, *x.shape[2:]))
            return x.view(1, 5, 4, 8, 8).transpose(1, 2)

    anatomy = capture(Frames().to("meta"), [(1, 3, 5, 8, 8)])
    assert anatomy.layers[-1].receptive_field == ReceptiveField((1, 3, 3), (1, 1, 1), (0, -1, -1), (5, 8, 8))


def test_channels_last_blocks_and_channel_shuffles_of_real_networks_keep_the_field() -> None:
    convnext = field_of(portray("timm:convnext_tiny").anatomy, "stages.3.blocks.2.add")
    assert convnext is not None
    # 4 + 3·6·4, downsampling 4, 3·6·8, 8, 9·6·16, 16, 3·6·32
    assert convnext.size == (1688, 1688)
    shuffled = field_of(portray("torchvision:shufflenet_v2_x1_0").anatomy, "conv5.2")
    assert shuffled is not None
    assert (shuffled.stride, shuffled.is_global) == ((32, 32), False)


# -- what sees everything ------------------------------------------------------------------------------------------


class Squeeze(nn.Module):
    """A block whose channels are weighed by what the whole map holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.fc = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * self.fc(x.mean((2, 3), keepdim=True)).sigmoid()


def attend(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return functional.scaled_dot_product_attention(tokens, tokens, tokens).transpose(1, 2).view(1, 2, 8, 8)


GLOBAL_NETWORKS = [
    lambda: nn.AdaptiveAvgPool2d(1),
    lambda: lambda x: x.mean((2, 3)),
    lambda: lambda x: x.mean(3).mean(2),
    lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(108, 4), nn.ReLU()),
    lambda: nn.Sequential(nn.Flatten(2), nn.Linear(64, 64), nn.Unflatten(2, (8, 8))),
    Squeeze,
    lambda: nn.Sequential(Squeeze(), nn.Conv2d(4, 2, 3, padding=1)),
    lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3)),
    lambda: nn.InstanceNorm2d(2),
    lambda: nn.LayerNorm((2, 8, 8)),
    lambda: lambda x: x.flatten(2).softmax(2),
    lambda: attend,
    lambda: lambda x: x + attend(x),
    lambda: lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
    lambda: lambda x: torch.cat([x, functional.interpolate(x.mean((2, 3), keepdim=True), size=(8, 8))], 1),
]


@pytest.mark.parametrize("make", GLOBAL_NETWORKS, ids=lambda make: "")
def test_what_is_told_to_be_global_sees_every_pixel(make: Callable[[], Callable[[Tensor], Tensor]]) -> None:
    torch.manual_seed(0)
    network = Calling(make())
    x = torch.rand((1, 2, 8, 8), dtype=torch.float64, requires_grad=True)
    anatomy = capture(copy.deepcopy(network).to("meta"), [(1, 2, 8, 8)])
    field = anatomy.layers[anatomy.output_layers[0]].receptive_field
    assert field is not None
    assert field.is_global
    output = network.double().eval()(x).flatten()
    (output * torch.rand_like(output))[: output.numel() // 3 + 1].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(1) > 0).all()


def test_behind_a_gate_the_window_of_the_convolutions_is_told_too() -> None:
    field = outcome(nn.Sequential(Squeeze(), nn.Conv2d(4, 2, 3, padding=1)).to("meta"))
    assert field == ReceptiveField((7, 7), (2, 2), (-3, -3), (4, 4), is_global=True)


def test_what_has_no_place_left_has_no_window() -> None:
    assert outcome(lambda x: functional.adaptive_avg_pool2d(x, 1)) == GLOBAL
    assert outcome(nn.Sequential(nn.Flatten(), nn.Linear(128, 5)).to("meta")) == GLOBAL
    assert outcome(attend) == GLOBAL


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet50", "fc"),
        ("alexnet", "classifier.fc6"),
        ("efficientnet_b0", "features.8.2"),
        ("timm:seresnet50", "layer4.2.act3"),
        ("timm:vit_tiny_patch16_224", "blocks.0.add"),
        ("torchvision:vit_b_16", "encoder.ln"),
        ("timm:mixer_b16_224", "blocks.0.add"),
        ("timm:gcresnet33ts", "stages.3.1.act"),
        ("timm:poolformer_s12", "stages.0.blocks.0.add"),
        ("timm:swin_tiny_patch4_window7_224", "head.fc"),
        ("torchvision:r3d_18", "fc"),
    ],
)
def test_layers_of_real_networks_that_see_everything(name: str, layer: str) -> None:
    field = field_of(portray(name).anatomy, layer)
    assert field is not None
    assert field.is_global


def test_tables_and_documents_tell_global_from_unknown() -> None:
    portrait = portray("timm:swin_tiny_patch4_window7_224")
    told = {layer["name"]: layer["receptive_field"] for layer in document(portrait)["layers"]}
    assert told["patch_embed.proj"] == [4, 4]
    assert told["layers.0.blocks.0.attn.proj"] is None
    assert told["head.fc"] == "global"
    assert ",global\n" in to_csv(portrait.anatomy)
    assert field_text(ReceptiveField((7, 7), (2, 2), (-3, -3), (4, 4), is_global=True)) == "global"


# -- from a cell back to its pixels --------------------------------------------------------------------------------


def test_a_cell_is_traced_back_to_its_pixels() -> None:
    field = ReceptiveField((7, 9), (2, 4), (-3, -4), (4, 5))
    assert input_patch(field, (0, 0)) == ((-3, 3), (-4, 4))
    assert input_patch(field, (3, 4)) == ((3, 9), (12, 20))
    assert clipped(input_patch(field, (3, 4)), (8, 16)) == ((3, 7), (12, 15))
    assert clipped(((-4, -1), (0, 3)), (8, 8)) is None


@pytest.mark.parametrize("cell", [(4, 0), (0, -1), (0,)])
def test_a_cell_that_is_not_there_is_refused(cell: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="none of 4×5"):
        input_patch(ReceptiveField((7, 9), (2, 4), (-3, -4), (4, 5)), cell)
    with pytest.raises(ValueError, match="whole input"):
        input_patch(GLOBAL, cell)


REAL = [
    ("torchvision:shufflenet_v2_x0_5", 64),
    ("torchvision:squeezenet1_1", 63),  # windows without padding fit to the last pixel
    ("timm:convnext_atto", 64),
    *(
        pytest.param(name, 96, marks=pytest.mark.slow)
        for name in ("resnet18", "mobilenet_v2", "googlenet", "timm:mobilenetv1_100", "timm:res2net50_26w_4s")
    ),
]


def traceable(layer: Layer) -> bool:
    field = layer.receptive_field
    own = "#" not in layer.name and not layer.type.islower()
    return own and field is not None and not field.is_global and layer.output_shapes[0][2:] == field.cells


def keep_first(outputs: dict[str, Tensor], name: str, module: nn.Module, args: object, result: Tensor) -> None:
    outputs.setdefault(name, result)


@pytest.mark.parametrize(("name", "side"), REAL)
def test_cells_of_real_networks_see_the_pixels_that_are_told(name: str, side: int) -> None:
    torch.manual_seed(0)
    network = build(entry(name))
    layers = [
        layer for layer in capture(copy.deepcopy(network).to("meta"), [(1, 3, side, side)]).layers if traceable(layer)
    ]
    network = make_sensitive(network)
    x = torch.rand((1, 3, side, side), dtype=torch.float64, requires_grad=True)
    chosen = [layers[len(layers) // 3], layers[2 * len(layers) // 3], layers[-1]]
    outputs: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    for layer in chosen:
        modules[layer.name].register_forward_hook(partial(keep_first, outputs, layer.name))
    network(x)
    for layer in chosen:
        field = layer.receptive_field
        assert field is not None
        for cell in {(0, 0), tuple(n // 2 for n in field.cells), tuple(n - 1 for n in field.cells)}:
            (seen,) = torch.autograd.grad(outputs[layer.name][(0, slice(None), *cell)].sum(), x, retain_graph=True)
            touched = seen[0].abs().sum(0).nonzero()
            extent = tuple(zip(touched.amin(0).tolist(), touched.amax(0).tolist(), strict=True))
            assert extent == clipped(input_patch(field, cell), (side, side)), (layer.name, cell)


# -- where branches meet -------------------------------------------------------------------------------------------


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
    assert anatomy.layers[-1].receptive_field == ReceptiveField((5, 5), (1, 1), (-1, -1), (6, 6))


def test_a_window_over_more_dimensions_than_the_input_has_is_no_field() -> None:
    anatomy = capture(nn.Sequential(nn.Conv3d(1, 2, 3)).to("meta"), [(1, 8, 8, 8)])  # taken as one clip, no batch
    assert anatomy.failure is None
    assert anatomy.layers[0].receptive_field is None


def test_every_layer_of_a_plain_stack_has_its_field() -> None:
    anatomy = portray("vgg16").anatomy
    convolutions = [layer.receptive_field for layer in anatomy.layers if layer.type == "Conv2d"]
    sizes = [field.size[0] for field in convolutions if field is not None]
    assert sizes == [3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196]
