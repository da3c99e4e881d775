"""What a step of training takes: the same, byte for byte, as a real step on the CPU."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from live_tensors import Watch
from torch import Tensor, nn, optim

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection import report
from explorer.inspection.memory import PARTS, Optimiser, Precision, TrainingMemory, TrainingSetup
from explorer.inspection.portrait import portray
from explorer.inspection.training_memory import step_memory, training_memory
from explorer.tasks import classification


def measured(name: str, size: tuple[int, int, int], setup: TrainingSetup) -> TrainingMemory:
    return step_memory(build(entry(name), size, device="meta"), [(1, *size)], setup)


def real_peak(name: str, size: tuple[int, int, int], setup: TrainingSetup) -> int:
    """Bytes that live at once in a real second step, the weights' and the optimiser's included."""
    module = build(entry(name), size).train()
    images, labels = torch.zeros(setup.batch, *size), torch.zeros(setup.batch, dtype=torch.int64)
    parameters = list(module.parameters())
    optimiser: optim.Optimizer
    if setup.optimiser == "sgd-momentum":
        optimiser = optim.SGD(parameters, lr=0.01, momentum=0.9, fused=True)
    else:
        optimiser = optim.Adam(parameters, fused=True)
    autocast = torch.autocast("cpu", torch.bfloat16) if setup.precision == "bf16" else nullcontext()

    def step() -> None:
        with autocast:
            outputs = module(images)
        classification.loss(outputs.float(), labels).backward()
        optimiser.step()

    step()
    optimiser.zero_grad()
    watch = Watch()
    state = [value for values in optimiser.state.values() for value in values.values() if isinstance(value, Tensor)]
    for tensor in (*parameters, *module.buffers(), *state, images, labels):
        watch.add(tensor)
    with watch:
        step()
    return watch.peak


@pytest.mark.parametrize(
    ("name", "size", "optimiser"),
    [
        ("lenet5", (1, 32, 32), "sgd-momentum"),
        ("lenet5", (1, 32, 32), "adam"),
        ("alexnet", (3, 96, 96), "adam"),
        ("resnet18", (3, 64, 64), "sgd-momentum"),
        ("mobilenet_v2", (3, 32, 32), "adam"),
    ],
)
def test_a_real_step_takes_the_same(name: str, size: tuple[int, int, int], optimiser: Optimiser) -> None:
    setup = TrainingSetup(8, optimiser)
    assert measured(name, size, setup).peak_bytes == real_peak(name, size, setup)


def test_a_real_step_in_mixed_precision_takes_about_the_same() -> None:
    setup = TrainingSetup(8, "sgd-momentum", "bf16")
    assert measured("resnet18", (3, 64, 64), setup).peak_bytes == pytest.approx(
        real_peak("resnet18", (3, 64, 64), setup), rel=0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["sgd-momentum", "adam"])
@pytest.mark.parametrize("name", ["alexnet", "vgg11", "resnet18", "googlenet", "densenet121", "mobilenet_v2"])
def test_a_real_step_at_the_papers_size_takes_the_same(name: str, optimiser: Optimiser) -> None:
    setup = TrainingSetup(8, optimiser)
    size = entry(name).input
    assert measured(name, size, setup).peak_bytes == real_peak(name, size, setup)


def parts(memory: TrainingMemory) -> dict[str, int]:
    return {part.name: part.bytes for part in memory.parts}


def test_parts_add_up_to_the_peak() -> None:
    memory = measured("resnet18", (3, 64, 64), TrainingSetup())
    assert [part.name for part in memory.parts] == list(PARTS)
    assert sum(part.at_peak for part in memory.parts) == memory.peak_bytes
    assert all(part.at_peak <= part.bytes for part in memory.parts)


@pytest.mark.parametrize(
    ("optimiser", "copies"), [("sgd", 0), ("sgd-momentum", 1), ("rmsprop", 1), ("adam", 2), ("adamw", 2)]
)
def test_an_optimiser_keeps_copies_of_the_parameters(optimiser: Optimiser, copies: int) -> None:
    found = parts(measured("lenet5", (1, 32, 32), TrainingSetup(4, optimiser)))
    assert found["parameters"] == found["gradients"] == 4 * 61_706
    steps = found["optimiser"] - copies * found["parameters"]  # how many steps there have been: a number a parameter
    assert steps == (40 if optimiser in ("rmsprop", "adam", "adamw") else 0)


def test_activations_grow_with_the_batch_and_the_rest_does_not() -> None:
    few, many = (parts(measured("resnet18", (3, 64, 64), TrainingSetup(batch))) for batch in (8, 16))
    per_image = (many["activations"] - few["activations"]) / 8
    assert few["activations"] == pytest.approx(8 * per_image, rel=0.01)
    for name in ("parameters", "buffers", "optimiser", "gradients"):
        assert few[name] == many[name]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_halves_activations_and_copies_the_weights(precision: Precision) -> None:
    full = parts(measured("resnet18", (3, 64, 64), TrainingSetup(8)))
    mixed = parts(measured("resnet18", (3, 64, 64), TrainingSetup(8, precision=precision)))
    indices = 8 * 8 * 64 * 16 * 16  # of the pooling, which stay as they are
    images = 2 * 8 * 3 * 64 * 64  # in 16 bits, which the first convolution keeps
    assert mixed["activations"] == pytest.approx((full["activations"] + indices) / 2 + images, rel=0.005)
    assert mixed["weight_copies"] == pytest.approx(full["parameters"] / 2, rel=0.01)
    assert full["weight_copies"] == 0
    assert mixed["parameters"] == full["parameters"]
    assert mixed["gradients"] == full["gradients"]


def test_frozen_parameters_have_neither_gradient_nor_state() -> None:
    module = build(entry("resnet18"), device="meta").requires_grad_(False)
    module.fc.requires_grad_(True)
    found = parts(step_memory(module, [(1, 3, 224, 224)], TrainingSetup(2)))
    assert found["gradients"] == found["optimiser"] == 4 * (512 * 1000 + 1000)
    whole = parts(measured("resnet18", (3, 224, 224), TrainingSetup(2)))
    assert found["activations"] < whole["activations"] / 10


def test_the_network_is_left_as_it_was() -> None:
    module = build(entry("resnet18")).eval()
    module.layer1.train()
    flags = [part.training for part in module.modules()]
    tensors = {name: (id(tensor), tensor._version) for name, tensor in module.state_dict(keep_vars=True).items()}
    chance = torch.get_rng_state()
    step_memory(module, [(1, 3, 64, 64)], TrainingSetup(2, "adam", "bf16"))
    assert [part.training for part in module.modules()] == flags
    assert {n: (id(t), t._version) for n, t in module.state_dict(keep_vars=True).items()} == tensors
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), chance)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert not torch.is_autocast_enabled("cpu")
    assert torch.zeros(1).item() == 0  # no mode is left on


def test_a_shared_parameter_is_counted_once() -> None:
    first = nn.Linear(8, 8, bias=False)
    second = nn.Linear(8, 8, bias=False)
    second.weight = first.weight
    found = parts(step_memory(nn.Sequential(first, second), [(1, 8)], TrainingSetup(2)))
    assert found["parameters"] == found["gradients"] == 4 * 64


def test_networks_that_cannot_be_trained_say_why() -> None:
    with pytest.raises(InputError, match="targets"):
        training_memory(portray("torchvision:fcn_resnet50"), TrainingSetup())
    with pytest.raises(InputError, match="more than 1 value per channel"):
        step_memory(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), [(1, 4)], TrainingSetup(1))
    with pytest.raises(InputError, match="no parameters to train"):
        step_memory(nn.Flatten(), [(1, 4)], TrainingSetup())
    with pytest.raises(InputError, match="cannot take an input"):
        training_memory(portray("alexnet", (3, 8, 8)), TrainingSetup())
    with pytest.raises(InputError, match="batch size"):
        step_memory(nn.Linear(1, 1), [(1, 1)], TrainingSetup(0))


def test_a_document_tells_both() -> None:
    portrait = portray("resnet18")
    memory = report.document(portrait, TrainingSetup())["memory"]
    assert memory["inference"] == {
        "batch_size": 1,
        "peak_bytes": 6_422_528,
        "at_layer": 1,
        "input_bytes": 4 * 3 * 224 * 224,
        "params_bytes": 4 * 11_689_512,
        "buffers_bytes": 4 * 9_600 + 8 * 20,
    }
    training = memory["training"]
    assert (training["batch_size"], training["optimiser"], training["precision"]) == (32, "sgd-momentum", "32")
    assert sum(training["bytes_at_peak"].values()) == training["peak_bytes"]
    assert memory["reason"] is None
    assert f"{training['peak_bytes']:,} bytes" in report.to_text(portrait, TrainingSetup())


def test_a_document_of_a_network_that_is_not_trained_gives_the_reason() -> None:
    memory = report.document(portray("torchvision:fcn_resnet50"), TrainingSetup())["memory"]
    assert memory["training"] is None
    assert "segmentation" in memory["reason"]
    assert memory["inference"]["peak_bytes"] > 0
