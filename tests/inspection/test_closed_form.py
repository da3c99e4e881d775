"""Answers in closed form are those of torch's own kernels: for whole networks, and for odd arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from explorer.architectures.registry import build, entry
from explorer.inspection import closed_form
from explorer.inspection.capture import capture

NETWORKS = [
    "lenet5_1998",
    "alexnet",
    "googlenet",
    "mobilenet_v2",
    "efficientnet_b0",
    "timm:convnext_tiny",
    "timm:swin_tiny_patch4_window7_224",
    "timm:nfnet_l0",
    "timm:dla34",
    "timm:mobilevit_s",
    "timm:efficientvit_b0",
    "torchvision:r3d_18",
    "torchvision:fcn_resnet50",
    "torchvision:shufflenet_v2_x0_5",
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_looks_the_same_without_the_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = entry(name)
    module = build(network, device="meta")
    shape = (1, network.input[0], 16, *network.input[1:]) if network.task == "video" else (1, *network.input)
    answered = capture(module, [shape])
    monkeypatch.setattr(closed_form, "ANSWERS", {})
    monkeypatch.setattr(closed_form, "WITHOUT_MACS", frozenset())
    assert answered == capture(module, [shape])


def meta(*shape: int, **options: Any) -> torch.Tensor:
    return torch.zeros(shape, device="meta", **options)


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (torch.conv1d, (meta(2, 4, 20), meta(6, 2, 3), meta(6), 2, 1, 2, 2), {}),
    (torch.conv2d, (meta(2, 4, 21, 13), meta(6, 4, 3, 5)), {"stride": (2, 1), "padding": (1, 0), "dilation": 2}),
    (torch.conv2d, (meta(2, 4, 9, 9), meta(6, 4, 1, 1), None, [3]), {}),
    (torch.conv2d, (meta(2, 4, 9, 9), meta(6, 4, 3, 3)), {"padding": "same"}),
    (torch.conv2d, (meta(4, 9, 9), meta(6, 4, 3, 3)), {}),
    (torch.conv3d, (meta(2, 4, 7, 8, 9), meta(6, 4, 3, 3, 3)), {"padding": 1}),
    (functional.linear, (meta(2, 3, 4), meta(5, 4), meta(5)), {}),
    (functional.linear, (meta(4), meta(5, 4)), {}),
    (functional.batch_norm, (meta(2, 4, 5, 5), meta(4), meta(4)), {}),
    (functional.batch_norm, (meta(1, 4, 9), None, None, meta(4)), {"training": True}),
    (functional.layer_norm, (meta(2, 4, 5), (4, 5)), {}),
    (functional.adaptive_avg_pool2d, (meta(2, 4, 9, 9), (None, 3)), {}),
    (functional.adaptive_avg_pool2d, (meta(2, 4, 9, 9), 1), {}),
    (functional.group_norm, (meta(2, 6, 4, 4), 3, meta(6), meta(6)), {}),
    (torch.mean, (meta(2, 3, 4, 5), (2, 3)), {"keepdim": True}),
    (torch.mean, (meta(2, 3, 4, 5), -1), {}),
    (torch.mean, (meta(2, 3, 4, 5), [-1, 1]), {}),
    (torch.mean, (meta(2, 3),), {}),
    (torch.cat, ([meta(2, 3, 4), meta(2, 5, 4)], 1), {}),
    (torch.cat, ([meta(2, 3), meta(2, 3)],), {"dim": -1}),
    (torch.add, (meta(2, 3, 1), meta(2, 1, 4)), {}),
    (torch.add, (meta(2, 3), meta(2, 3)), {"alpha": 2}),
    (torch.mul, (meta(2, 3), 2), {}),
    (torch.mul, (meta(2, 3, dtype=torch.int64), 2.0), {}),
    (torch.mul, (meta(2, 3), meta(2, 3, dtype=torch.float64)), {}),
    (torch.mul, (meta(2, 3, 4), meta(3, 4)), {}),
    (torch.mul, (meta(0, 3), meta(1, 3)), {}),
    (torch.sigmoid, (meta(2, 3, dtype=torch.int64),), {}),
    (functional.relu, (meta(2, 3),), {"inplace": True}),
    (functional.hardtanh, (meta(2, 3), -1.0, 1.0, True), {}),
    (torch.neg, (meta(4, 2, 3).permute(2, 0, 1),), {}),
    (functional.batch_norm, (meta(2, 5, 5, 4).permute(0, 3, 1, 2), meta(4), meta(4)), {}),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_an_answer_is_what_the_kernel_gives(number: int) -> None:
    function, args, kwargs = CALLS[number]
    with FlopCounterMode(display=False) as counter:
        expected = function(*args, **kwargs)
    answer = closed_form.ANSWERS[function](*args, **kwargs)
    if answer is not None:
        assert isinstance(answer.result, torch.Tensor)
        assert answer.result.shape == expected.shape
        assert answer.result.dtype == expected.dtype
        assert answer.result.stride() == expected.stride()
        assert answer.macs == counter.get_total_flops() // 2
        assert (answer.result is args[0]) == (expected is args[0])


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (torch.conv2d, (meta(2, 3, 9, 9), meta(6, 4, 3, 3))),
        (torch.conv2d, (meta(2, 4, 2, 2), meta(6, 4, 3, 3))),
        (functional.linear, (meta(2, 3), meta(5, 4))),
        (functional.batch_norm, (meta(2, 4, 5, 5), meta(3), meta(3))),
        (functional.batch_norm, (meta(1, 4), None, None, None, None, True)),
        (functional.batch_norm, (meta(2, 4), meta(4), meta(4), None, None, True)),
        (functional.layer_norm, (meta(2, 4, 5), (4,))),
        (functional.group_norm, (meta(2, 6, 4, 4), 4)),
        (torch.mean, (meta(2, 3), 2)),
        (torch.mean, (meta(2, 3), (1, -1))),
        (torch.cat, ([meta(2, 3), meta(3, 3)], 1)),
        (torch.add, (meta(2, 3), meta(2, 4))),
    ],
)
def test_what_does_not_fit_is_left_to_torch_which_says_why(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    assert closed_form.ANSWERS[function](*args) is None


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_whole_sequence_is_answered_at_once(batch_first: bool, bidirectional: bool, layers: int) -> None:
    module = nn.LSTM(6, 5, layers, batch_first=batch_first, bidirectional=bidirectional, device="meta")
    module.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        expected, (hidden, cell) = module(meta(3, 7, 6))
    anatomy = capture(module, [(3, 7, 6)])
    assert anatomy.outputs == (tuple(expected.shape), tuple(hidden.shape), tuple(cell.shape))
    assert anatomy.macs == counter.get_total_flops() // 2


def test_an_operation_in_place_is_known_as_one() -> None:
    tensor = meta(2, 3)
    version = tensor._version
    assert closed_form.ANSWERS[torch.Tensor.add_](tensor, 1.0).result is tensor  # type: ignore[union-attr]
    assert tensor._version == version + 1
