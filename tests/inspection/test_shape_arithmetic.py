"""Formulas of shapes, parameters and MACs: every one is evaluated and held against what the network really gave."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.architectures.cards import catalogue
from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.capture import capture
from explorer.inspection.count_arithmetic import explain_counts
from explorer.inspection.portrait import portray
from explorer.inspection.shape_arithmetic import Formula, explain_shape

LIBRARY = [
    "torchvision:convnext_tiny",
    "torchvision:deeplabv3_resnet50",
    "torchvision:inception_v3",
    "torchvision:mnasnet1_0",
    "torchvision:r3d_18",
    "torchvision:regnet_y_400mf",
    "torchvision:s3d",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:squeezenet1_0",
    "torchvision:swin_t",
    "torchvision:vit_b_16",
    "timm:convnext_tiny",
    "timm:densenet169",
    "timm:ghostnet_100",
    "timm:hrnet_w18_small",
    "timm:inception_v4",
    "timm:mixnet_s",
    "timm:mobilenetv3_large_100",
    "timm:nasnetalarge",
    "timm:nfnet_f0",
    "timm:res2net50_26w_4s",
    "timm:swin_tiny_patch4_window7_224",
    "timm:tf_efficientnet_b0",
    "timm:vit_tiny_patch16_224",
]
NETWORKS = [known.name for known in catalogue()] + LIBRARY

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@cache
def anatomy(name: str) -> Anatomy:
    return portray(name).anatomy


@cache
def value(text: str) -> float:
    """Returns what a formula's left side comes to, read as a person reads it."""
    for sign, plain in ((",", ""), ("·", "*"), ("−", "-"), ("⌊", "floor("), ("⌋", ")"), ("⌈", "ceil("), ("⌉", ")")):
        text = text.replace(sign, plain)
    return _value(ast.parse(text, mode="eval").body)


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return {"floor": math.floor, "ceil": math.ceil}[node.func.id](_value(node.args[0]))
    assert isinstance(node, ast.BinOp), ast.dump(node)
    return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))


def result(formula: Formula) -> list[int]:
    """Returns the numbers on the right side."""
    right = re.split("[=→]", formula.text)[-1]
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", right)]


def assert_holds(formula: Formula, layer: Layer) -> None:
    if "=" in formula.text:
        left, right = formula.text.rsplit(" = ", 1)
        assert value(left) == value(right), (layer.name, formula)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_shape_formula_comes_to_the_size_that_the_layer_really_has(name: str) -> None:
    for layer in anatomy(name).layers:
        for formula in explain_shape(layer):
            assert_holds(formula, layer)
            sizes = {size for shape in layer.output_shapes for size in shape} | {1}
            assert set(result(formula)) <= sizes, (layer.name, formula)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_convolution_pooling_linear_concatenation_and_flattening_has_a_formula(name: str) -> None:
    explained = ("conv", "pool", "linear", "flatten")
    missing = [
        (layer.name, layer.type)
        for layer in anatomy(name).layers
        if layer.executed and (layer.type == "cat" or any(word in layer.type.lower() for word in explained))
        if not explain_shape(layer) and layer.input_shapes != layer.output_shapes
    ]
    assert missing == []


@pytest.mark.parametrize("name", NETWORKS)
def test_the_sides_of_every_convolution_and_pooling_are_told(name: str) -> None:
    for layer in anatomy(name).layers:
        if "kernel_size" in dict(layer.hyperparameters) and layer.executed:
            told = {size for formula in explain_shape(layer) for size in result(formula)}
            assert set(layer.output_shapes[0][2:]) <= told, layer.name


@pytest.mark.parametrize("name", NETWORKS)
def test_formulas_of_parameters_and_macs_come_to_the_counted_numbers(name: str) -> None:
    counted = {"Parameters": "params", "MACs": "macs"}
    for layer in anatomy(name).layers:
        formulas = explain_counts(layer)
        for formula in formulas:
            assert_holds(formula, layer)
            assert result(formula) == [getattr(layer, counted[formula.what])], (layer.name, formula)
        if layer.executed and layer.type in ("Conv2d", "Conv3d", "Linear", "Conv2dSame", "BatchNorm2d", "linear"):
            wanted = [what for what, field in counted.items() if getattr(layer, field)]
            assert [formula.what for formula in formulas] == wanted, layer.name


class Calling(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def formulas(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> list[tuple[str, str]]:
    anatomy = capture(Calling(function).to("meta"), [shape])
    assert anatomy.failure is None
    layer = anatomy.layers[-1]
    for formula in (*explain_shape(layer), *explain_counts(layer)):
        assert_holds(formula, layer)
    return [(formula.what, formula.text) for formula in (*explain_shape(layer), *explain_counts(layer))]


SIDES = "Height and width"


@pytest.mark.parametrize(
    ("function", "shape", "told"),
    [
        (
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            (1, 3, 224, 224),
            [
                (SIDES, "⌊(224 + 2·3 − 7)/2⌋ + 1 = 112"),
                ("Parameters", "7·7·3·64 = 9,408"),
                ("MACs", "9,408·112·112 = 118,013,952"),
            ],
        ),
        (
            nn.Conv2d(4, 6, (3, 5), (1, 2), (1, 0), groups=2),
            (1, 4, 9, 11),
            [
                ("Height", "9 + 2·1 − 3 + 1 = 9"),
                ("Width", "⌊(11 − 5)/2⌋ + 1 = 4"),
                ("Parameters", "3·5·(4/2)·6 + 6 = 186"),
                ("MACs", "3·5·(4/2)·6·9·4 = 6,480"),
            ],
        ),
        (
            nn.Conv2d(1, 1, 3, 2, 2, dilation=2, bias=False),
            (1, 1, 9, 9),
            [
                (SIDES, "⌊(9 + 2·2 − 2·(3 − 1) − 1)/2⌋ + 1 = 5"),
                ("Parameters", "3·3·1·1 = 9"),
                ("MACs", "9·5·5 = 225"),
            ],
        ),
        (nn.MaxPool2d(3, 2, ceil_mode=True), (1, 1, 8, 8), [(SIDES, "⌈(8 − 3)/2⌉ + 1 = 4")]),
        (nn.MaxPool2d(2, 3, 1, ceil_mode=True), (1, 1, 5, 5), [(SIDES, "⌈(5 + 2·1 − 2)/3⌉ + 1 − 1 = 2")]),
        (
            nn.ConvTranspose2d(4, 2, 4, 2, 1, bias=False),
            (1, 4, 7, 7),
            [
                (SIDES, "(7 − 1)·2 − 2·1 + 4 = 14"),
                ("Parameters", "4·4·4·2 = 128"),
                ("MACs", "128·7·7 = 6,272"),
            ],
        ),
        (
            nn.Conv1d(2, 2, 3, bias=False),
            (1, 2, 9),
            [("Length", "9 − 3 + 1 = 7"), ("Parameters", "3·2·2 = 12"), ("MACs", "12·7 = 84")],
        ),
        (nn.AdaptiveAvgPool2d(1), (1, 8, 7, 7), [("Cells", "all 7·7 → 1")]),
        (nn.AdaptiveAvgPool2d(4), (1, 8, 8, 8), [(SIDES, "8/2 = 4")]),
        (nn.AdaptiveAvgPool2d((3, 4)), (1, 8, 8, 8), [("Height", "output_size: 8 → 3"), ("Width", "8/2 = 4")]),
        (
            nn.Linear(512, 10),
            (1, 512),
            [("Features", "512 → 10"), ("Parameters", "512·10 + 10 = 5,130"), ("MACs", "512·10 = 5,120")],
        ),
        (nn.Flatten(), (1, 512, 7, 7), [("Joined", "512·7·7 = 25,088")]),
        (lambda x: x.flatten(2), (1, 8, 7, 5), [("Joined", "7·5 = 35")]),
        (lambda x: x.view(1, 2, 4, 7, 5), (1, 8, 7, 5), [("Split", "8 → 2×4")]),
        (lambda x: torch.cat([x, x, x[:, :3]], 1), (1, 8, 7, 7), [("Channels", "2·8 + 3 = 19")]),
        (lambda x: x.chunk(2, 1)[0], (1, 8, 7, 7), [("Channels", "8/2 = 4")]),
        (lambda x: x.split([3, 5], 1)[0], (1, 8, 7, 7), [("Channels", "8 → 3 + 5")]),
        (lambda x: x[:, :, 1::2, :-1], (1, 8, 7, 7), [("Height", "⌈(7 − 1)/2⌉ = 3"), ("Width", "7 → 6")]),
        (lambda x: x[:, :, :, 2:], (1, 8, 9, 9), [("Width", "9 − 2 = 7")]),
        (
            lambda x: functional.pad(x, (1, 2, 0, 3)),
            (1, 8, 7, 7),
            [("Height", "7 + 3 = 10"), ("Width", "7 + 1 + 2 = 10")],
        ),
        (lambda x: functional.interpolate(x, scale_factor=2.0), (1, 8, 7, 7), [(SIDES, "7·2 = 14")]),
        (lambda x: functional.interpolate(x, scale_factor=1.5), (1, 8, 7, 7), [(SIDES, "⌊7·1.5⌋ = 10")]),
        (lambda x: functional.pixel_shuffle(x, 2), (1, 8, 7, 7), [("Channels", "8/(2·2) = 2"), (SIDES, "7·2 = 14")]),
        (lambda x: functional.pixel_unshuffle(x, 2), (1, 2, 8, 8), [("Channels", "2·2·2 = 8"), (SIDES, "8/2 = 4")]),
        (lambda x: x * x.mean((2, 3), keepdim=True), (1, 8, 7, 7), [("Repeated", "8×1×1 → 8×7×7")]),
        (
            lambda x: x @ x.transpose(1, 2),
            (1, 6, 4),
            [("Matrices", "(6×4)·(4×6) → 6×6"), ("MACs", "4·6·6 = 144")],
        ),
        (lambda x: x + x, (1, 8, 7, 7), []),
        (nn.ReLU(), (1, 8, 7, 7), []),
    ],
)  # fmt: skip
def test_the_formula_is_written_as_the_field_writes_it(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...], told: list[tuple[str, str]]
) -> None:
    assert formulas(function, shape) == told


def test_padding_as_in_tensorflow_rounds_up() -> None:
    layer = next(layer for layer in anatomy("timm:tf_efficientnet_b0").layers if layer.name == "conv_stem")
    assert explain_shape(layer) == (Formula(SIDES, "⌈224/2⌉ = 112"),)


def test_axes_are_named_as_far_as_they_are_known() -> None:
    last = formulas(lambda x: x.permute(0, 2, 3, 1)[:, ::2], (1, 3, 8, 6))
    assert last == [("Height", "⌈8/2⌉ = 4")]
    merged = next(layer for layer in anatomy("torchvision:swin_t").layers if layer.type == "cat")
    assert [formula.what for formula in explain_shape(merged)] == ["Axis 3"]


def test_a_layer_that_did_not_run_has_nothing_to_explain() -> None:
    layers = [layer for layer in anatomy("torchvision:inception_v3").layers if not layer.executed]
    assert all(explain_shape(layer) == explain_counts(layer) == () for layer in layers)
