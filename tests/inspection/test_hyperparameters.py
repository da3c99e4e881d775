"""What a layer's settings read as."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.capture import capture
from explorer.inspection.hyperparameters import of_module


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        (nn.Conv2d(3, 64, 7, 2, 3), {"kernel_size": (7, 7), "stride": (2, 2), "padding": (3, 3)}),
        (nn.Conv2d(4, 4, (1, 3), groups=4, dilation=2),
         {"kernel_size": (1, 3), "stride": (1, 1), "padding": (0, 0), "dilation": (2, 2), "groups": 4}),
        (nn.Conv2d(4, 4, 3, padding="same"), {"kernel_size": (3, 3), "stride": (1, 1), "padding": "same"}),
        (nn.Conv1d(4, 4, 5), {"kernel_size": (5,), "stride": (1,), "padding": (0,)}),
        (nn.MaxPool2d(3, 2, ceil_mode=True),
         {"kernel_size": (3, 3), "stride": (2, 2), "padding": (0, 0), "ceil_mode": True}),
        (nn.AvgPool3d(2), {"kernel_size": (2, 2, 2), "stride": (2, 2, 2), "padding": (0, 0, 0)}),
        (nn.AdaptiveAvgPool2d((1, 1)), {"output_size": (1, 1)}),
        (nn.Linear(8, 2), {"in_features": 8, "out_features": 2}),
        (nn.BatchNorm2d(16), {"num_features": 16, "eps": 1e-5, "momentum": 0.1}),
        (nn.Dropout(0.3), {"p": 0.3}),
        (nn.ReLU(), {}),
        (nn.ReLU(inplace=True), {"inplace": True}),
        (nn.Identity(), {}),
        (nn.ZeroPad2d((1, 2, 3, 4)), {"padding": (1, 2, 3, 4), "value": 0.0}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_module_shows_what_differs_from_the_usual(module: nn.Module, settings: dict[str, object]) -> None:
    assert dict(of_module(module)) == settings


def test_window_and_stride_come_first_as_the_field_writes_them() -> None:
    assert [name for name, _ in of_module(nn.Conv2d(4, 4, 3, groups=2))][:3] == ["kernel_size", "stride", "padding"]


def test_a_users_module_shows_its_plain_attributes() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ratio = 0.25
            self.sizes = [3, 5]
            self.function = torch.relu
            self._secret = 1

    assert dict(of_module(Gate())) == {"ratio": 0.25, "sizes": (3, 5)}


def called(function: Callable[[Tensor], object]) -> Anatomy:
    class Calling(nn.Module):
        def forward(self, x: Tensor) -> object:
            return function(x)

    anatomy = capture(Calling(), [(1, 4, 8, 8)])
    assert anatomy.failure is None
    return anatomy


@pytest.mark.parametrize(
    ("function", "type_", "settings"),
    [
        (lambda x: functional.max_pool2d(x, 2), "max_pool2d",
         {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0)}),
        (lambda x: functional.avg_pool2d(x, 3, 1, padding=1), "avg_pool2d",
         {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1)}),
        (lambda x: functional.conv2d(x, torch.ones(2, 4, 3, 5), None, 2), "conv2d",
         {"kernel_size": (3, 5), "stride": (2, 2), "padding": (0, 0)}),
        (lambda x: functional.conv2d(x, weight=torch.ones(4, 1, 3, 3), padding="same", groups=4), "conv2d",
         {"kernel_size": (3, 3), "stride": (1, 1), "padding": "same", "groups": 4}),
        (lambda x: functional.adaptive_avg_pool2d(x, 1), "adaptive_avg_pool2d", {"output_size": 1}),
        (lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"), "interpolate",
         {"scale_factor": 2.0, "mode": "bilinear"}),
        (lambda x: torch.cat((x, x), dim=1), "cat", {"dim": 1}),
        (lambda x: torch.flatten(x, 1), "flatten", {"start_dim": 1}),
        (lambda x: x.view(1, 2, 2, 8, 8), "view", {"shape": (1, 2, 2, 8, 8)}),
        (lambda x: x.permute(0, 2, 3, 1), "permute", {"dims": (0, 2, 3, 1)}),
        (lambda x: x.mean((2, 3), keepdim=True), "mean", {"dim": (2, 3), "keepdim": True}),
        (lambda x: x[:, 1:, ::2, -1], "slice", {"index": ":, 1:, ::2, -1"}),
        (lambda x: x[..., [1, 2]], "slice", {"index": "…, [2 chosen]"}),
        (lambda x: functional.pad(x, (1, 0, 2, 0)), "pad", {"pad": (1, 0, 2, 0), "mode": "constant"}),
        (lambda x: 1 - x, "sub", {}),
    ],
)  # fmt: skip
def test_an_operation_shows_its_arguments_by_name(
    function: Callable[[Tensor], object], type_: str, settings: dict[str, object]
) -> None:
    layer = called(function).layers[-1]
    assert layer.type == type_
    assert dict(layer.hyperparameters) == settings
