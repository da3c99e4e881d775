"""Where a network cannot take its input, the inspection says at which layer and why, in one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from explorer.inspection.anatomy import INPUT, Anatomy, Failure, Shape
from explorer.inspection.capture import capture
from explorer.inspection.portrait import portray


def stop(network: nn.Module, *shapes: Shape) -> tuple[Anatomy, Failure]:
    anatomy = capture(network.to("meta"), shapes)
    assert anatomy.failure is not None
    assert "\n" not in anatomy.failure.message
    assert anatomy.outputs == ()
    return anatomy, anatomy.failure


def test_a_window_larger_than_its_input_is_told_in_numbers() -> None:
    portrait = portray("alexnet", (3, 8, 8))
    failure = portrait.anatomy.failure
    assert failure == Failure(
        layer="features.conv1",
        type="Conv2d",
        input_shapes=((1, 3, 8, 8),),
        message="its window of 11×11 does not fit into its input of 8×8",
        inputs=(INPUT,),
    )
    assert portrait.failure_text == (
        "alexnet cannot take an input of 3×8×8: at features.conv1 (Conv2d), "
        "its window of 11×11 does not fit into its input of 8×8; height and width must be at least 67"
    )


def test_what_ran_before_the_failure_is_shown() -> None:
    anatomy = portray("alexnet", (3, 40, 40)).anatomy
    assert anatomy.failure is not None
    assert anatomy.failure.layer == "features.pool5"
    executed = [layer for layer in anatomy.layers if layer.executed]
    assert executed[-1].name == "features.relu5"
    assert anatomy.failure.inputs == (executed[-1].index,)
    assert sum(layer.params for layer in anatomy.layers) == anatomy.params == 60_965_224


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.AvgPool2d(5, padding=1), (1, 3, 2, 9),
         "its window of 5×5 does not fit into its input of 2×9 with a padding of 1×1"),
        (nn.Conv2d(3, 8, 3, dilation=4), (1, 3, 8, 8), "its window of 9×9 does not fit into its input of 8×8"),
        (nn.MaxPool2d(2), (1, 8, 1, 1), "its window of 2×2 does not fit into its input of 1×1"),
        (nn.Conv1d(2, 4, 7), (1, 2, 5), "its window of 7 does not fit into its input of 5"),
        (nn.Conv2d(3, 8, 3), (1, 1, 28, 28), "it takes 3 channels and was given 1"),
        (nn.Conv2d(1024, 8, 1), (1, 2048, 7, 7), "it takes 1,024 channels and was given 2,048"),
        (nn.BatchNorm2d(16), (1, 3, 8, 8), "it takes 16 channels and was given 3"),
        (nn.Linear(9216, 10), (1, 400), "it takes 9,216 features and was given 400"),
        (nn.Conv3d(3, 8, 3), (1, 3, 8, 8), "it takes 3 spatial dimensions and was given 2"),
    ],
    ids=["window", "dilated", "pool", "1d", "channels", "thousands", "batch-norm", "features", "dimensions"],
)  # fmt: skip
def test_a_layer_that_does_not_fit_is_told_in_numbers(layer: nn.Module, shape: Shape, message: str) -> None:
    _, failure = stop(nn.Sequential(nn.Identity(), layer), shape)
    assert failure == Failure("1", type(layer).__name__, (shape,), message, (0,))


@pytest.mark.parametrize(
    ("name", "size", "layer", "message"),
    [
        ("vgg16", (3, 16, 16), "features.30", "its window of 2×2 does not fit into its input of 1×1"),
        ("lenet5_1998", (1, 28, 28), "c5", "its window of 5×5 does not fit into its input of 4×4"),
        ("resnet50", (1, 224, 224), "conv1", "it takes 3 channels and was given 1"),
        ("lenet5", (1, 4, 4), "features.c1", "its window of 5×5 does not fit into its input of 4×4"),
    ],
)
def test_networks_of_the_catalogue_say_where_an_input_is_too_small(
    name: str, size: tuple[int, int, int], layer: str, message: str
) -> None:
    failure = portray(name, size).anatomy.failure
    assert failure is not None
    assert (failure.layer, failure.message) == (layer, message)


class Inner(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


def test_an_operation_that_fails_is_named_with_its_block_and_its_shapes() -> None:
    network = nn.Sequential(nn.Sequential(Inner(lambda x: torch.cat([x, x[:, :, 1:]], 1))))
    anatomy, failure = stop(network, (1, 2, 5, 5))
    assert (failure.layer, failure.type) == ("0.0.cat", "cat")
    assert failure.input_shapes == ((1, 4, 5, 5), (1, 4, 4, 5))
    assert [anatomy.layers[index].name for index in failure.inputs] == ["0.0.conv", "0.0.slice"]
    assert "Sizes of tensors must match" in failure.message


def test_an_error_of_the_networks_own_is_told_with_the_module_that_raised_it() -> None:
    def refuse(x: Tensor) -> Tensor:
        raise ValueError("height must be\na multiple of 32")

    anatomy, failure = stop(nn.Sequential(Inner(refuse)), (1, 2, 5, 5))
    assert (failure.layer, failure.type) == ("0", "Inner")
    assert failure.message == "height must be a multiple of 32"
    assert [layer.name for layer in anatomy.layers] == ["0.conv"]


def test_an_error_of_the_network_itself_names_its_class() -> None:
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError

    _, failure = stop(Picky(), (1, 2))
    assert failure == Failure("", "Picky", (), "AssertionError")


def test_too_few_inputs_are_a_failure_of_the_network() -> None:
    class Pair(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return left + right

    _, failure = stop(Pair(), (1, 2))
    assert failure.type == "Pair"
    assert "right" in failure.message


def test_a_failure_that_the_network_survives_is_not_blamed_for_a_later_one() -> None:
    def careful(x: Tensor) -> Tensor:
        try:
            return x.view(7, 7)
        except RuntimeError:
            return x

    _, failure = stop(nn.Sequential(Inner(careful), nn.ReLU(), nn.Linear(3, 5)), (1, 2, 5, 5))
    assert failure.layer == "2"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * x.max().item(),
        lambda x: x[x > 0],
        lambda x: torch.tensor(x.tolist()),
        lambda x: torch.from_numpy(x.numpy()),
    ],
    ids=["branch", "item", "mask", "tolist", "numpy"],
)
def test_a_network_that_looks_at_values_is_told_that_there_are_none(function: Callable[[Tensor], Tensor]) -> None:
    _, failure = stop(nn.Sequential(Inner(function)), (1, 2, 5, 5))
    assert failure.message == "it asks for the values of a tensor, and an inspection knows shapes alone"


def test_a_tensor_made_on_another_device_is_told_with_the_way_out() -> None:
    _, failure = stop(nn.Sequential(Inner(lambda x: x + torch.arange(5.0))), (1, 2, 5, 5))
    assert failure.layer == "0.add"
    assert "device=x.device" in failure.message


def test_a_forward_that_ends_the_program_ends_nothing() -> None:
    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.conv(x)
            raise SystemExit("enough")

    anatomy, failure = stop(Ends(), (1, 3, 8, 8))
    assert failure.message == "enough"
    assert [layer.name for layer in anatomy.layers] == ["conv"]
