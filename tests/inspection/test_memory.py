"""What a pass needs at once: by hand where that is possible, and against real passes on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from live_tensors import Watch
from torch import Tensor, nn

from explorer.architectures.registry import build, entry
from explorer.inspection.anatomy import INPUT, Anatomy
from explorer.inspection.capture import capture
from explorer.inspection.memory import inference_memory
from explorer.inspection.portrait import portray


def eager_peak(name: str) -> int:
    """Bytes of inputs and activations that a real pass of PyTorch holds at once."""
    network = entry(name)
    module = build(network).eval()
    watch = Watch()
    for tensor in (*module.parameters(), *module.buffers()):
        watch.add(tensor)
    weights = watch.live
    image = torch.zeros(1, *network.input)
    watch.add(image)
    with torch.no_grad(), watch:
        module(image)
    return watch.peak - weights


class Branches(nn.Module):
    """A shortcut over two layers, as in ResNet, with an activation in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(2, 4, 1)
        self.third = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.relu(self.first(x))
        return self.third(self.second(shortcut)).add(shortcut).flatten(1)


def test_blocks_live_from_the_layer_that_makes_them_to_the_last_that_reads_them() -> None:
    anatomy = capture(Branches().to("meta"), [(1, 1, 5, 5)])
    memory = inference_memory(anatomy)
    channel = 5 * 5 * 4  # bytes
    assert [layer.name for layer in anatomy.layers] == ["first", "relu", "second", "third", "add", "flatten"]
    # input and first; first; first and second; first, second and third; first, third and sum; sum, and its view
    assert memory.live == tuple(count * channel for count in (3, 2, 6, 8, 6, 2))
    assert memory.peak_bytes == 8 * channel
    assert anatomy.layers[memory.peak_layer].name == "third"
    assert memory.input_bytes == channel


def test_everything_grows_with_the_batch() -> None:
    anatomy = portray("resnet18").anatomy
    one, many = inference_memory(anatomy), inference_memory(anatomy, 7)
    assert many.peak_bytes == 7 * one.peak_bytes
    assert many.live == tuple(7 * size for size in one.live)
    assert many.peak_layer == one.peak_layer


def test_a_network_without_layers_holds_its_input() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    memory = inference_memory(capture(Nothing(), [(1, 3, 4, 4)]))
    assert memory.peak_bytes == memory.input_bytes == 3 * 4 * 4 * 4
    assert memory.peak_layer == INPUT


def test_a_network_that_fails_tells_what_lived_until_then() -> None:
    portrait = portray("alexnet", (3, 60, 60))
    assert portrait.failure_text
    memory = inference_memory(portrait.anatomy)
    assert memory.peak_bytes >= max(portrait.anatomy.blocks)
    assert len(memory.live) == len(portrait.anatomy.layers)


def test_layers_that_did_not_run_hold_nothing() -> None:
    anatomy = portray("googlenet", given={"aux": True}).anatomy
    live = inference_memory(anatomy).live
    assert {size for layer, size in zip(anatomy.layers, live, strict=True) if not layer.executed} == {0}
    assert min(size for layer, size in zip(anatomy.layers, live, strict=True) if layer.executed) > 0


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("lenet5", 4 * 32 * 32),  # the image, which its owner keeps
        ("resnet18", 4 * 3 * 224 * 224),
        ("vgg11", 4 * 3 * 224 * 224 + 8 * 64 * 112 * 112),  # and the indices that the pooling makes and drops
        ("resnet50", 4 * (3 * 224 * 224 + 64 * 56 * 56)),  # and what entered `layer1`, whose call keeps it
        ("mobilenet_v2", 4 * (3 * 224 * 224 + 16 * 112 * 112)),
    ],
)
def test_pytorch_takes_as_much_and_what_its_frames_and_modules_keep(name: str, more: int) -> None:
    assert eager_peak(name) == inference_memory(portray(name).anatomy).peak_bytes + more


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "densenet121"])
def test_no_pass_of_pytorch_takes_less(name: str) -> None:
    needed = inference_memory(portray(name).anatomy).peak_bytes
    assert needed <= eager_peak(name) < 2.5 * needed


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "shufflenet_v2_x1_0"])
def test_the_peak_is_between_the_largest_layer_and_all_layers(name: str, anatomy_of: Callable[[str], Anatomy]) -> None:
    anatomy = anatomy_of(name)
    memory = inference_memory(anatomy)
    assert max(layer.activation_bytes for layer in anatomy.layers) <= memory.peak_bytes
    assert memory.peak_bytes < memory.input_bytes + anatomy.activation_bytes
