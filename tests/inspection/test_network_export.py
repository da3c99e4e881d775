"""Exported networks, run by the programs that they are made for, give what PyTorch gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from explorer.architectures.cards import catalogue
from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.network_export import Exported, write_network

SMALL = ("lenet5_1998", "lenet5", "resnet20_cifar", "torchvision:squeezenet1_1")
LARGE = tuple(known.name for known in catalogue() if known.name not in SMALL)
ALL = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


def awake(name: str) -> nn.Module:
    """A network in evaluation mode whose batch normalisation knows its data: fresh statistics hide what it does."""
    torch.manual_seed(0)
    network = build(entry(name))
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
            nn.init.constant_(module.weight, 0.3)  # trained branches add little to what passes them by
    with torch.no_grad():
        network(torch.randn(4, *entry(name).input))
    return network.eval()


def export(name: str, network: nn.Module, path: Path) -> Exported:
    return write_network(network, [(1, *entry(name).input)], path, {"architecture": name, "classes": ["é", "b"]}, name)


def images(name: str) -> Tensor:
    return torch.randn(3, *entry(name).input, generator=torch.Generator().manual_seed(1))


def difference(found: Tensor, wanted: Tensor) -> float:
    """The largest absolute difference."""
    assert found.shape == wanted.shape
    assert wanted.abs().max() > 1e-3, "the network is asleep: its output tells nothing"
    return float((found - wanted).abs().max())


def rounding(network: nn.Module, batch: Tensor) -> float:
    """How far PyTorch itself is off in 32 bits: untrained and 150 layers deep, a network multiplies such errors."""
    with torch.no_grad():
        single = network(batch)
        exact = network.double()(batch.double())
    network.float()
    return float((single - exact).abs().max())


@pytest.mark.parametrize("name", ALL)
def test_onnx_runtime_gives_the_same_output_for_any_batch(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network, batch = awake(name), images(name)
    path = tmp_path / "net.onnx"
    assert export(name, network, path) == Exported(str(path), True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("input", ["batch", *entry(name).input])]
    assert [one.name for one in session.get_outputs()] == ["output"]
    with torch.no_grad():
        wanted = network(batch)
    for size in (3, 1):
        (found,) = session.run(None, {"input": batch[:size].numpy()})
        off = difference(torch.from_numpy(found), wanted[:size])
        assert off < 1e-4 or off < 3 * rounding(network, batch)
    stored = json.loads(session.get_modelmeta().custom_metadata_map["explorer"])
    assert stored == {"architecture": name, "classes": ["é", "b"]}


@pytest.mark.parametrize("name", ALL)
def test_a_reloaded_program_gives_the_same_output_for_any_batch(name: str, tmp_path: Path) -> None:
    network, batch = awake(name), images(name)
    path = tmp_path / "net.pt2"
    assert export(name, network, path).any_batch
    extra = {"explorer": ""}
    program = torch.export.load(path, extra_files=extra).module()
    with torch.no_grad():
        wanted = network(batch)
        bound = max(1e-5, 3 * rounding(network, batch))
        assert difference(program(batch), wanted) < bound
        assert difference(program(batch[:1]), wanted[:1]) < bound
    assert json.loads(extra["explorer"])["architecture"] == name


@pytest.mark.parametrize("name", ALL)
def test_reloaded_weights_give_the_same_output(name: str, tmp_path: Path) -> None:
    network, batch = awake(name), images(name)
    path = tmp_path / "net.safetensors"
    export(name, network, path)
    again = build(entry(name)).eval()
    again.load_state_dict(load_file(path))
    with torch.no_grad():
        assert torch.equal(again(batch), network(batch))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["explorer"])["classes"] == ["é", "b"]


class Tied(nn.Module):
    """Two layers that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.first(x))
        return result


def test_shared_weights_can_be_exported(tmp_path: Path) -> None:
    for suffix in ("onnx", "pt2", "safetensors"):
        write_network(Tied(), [(1, 4)], tmp_path / f"t.{suffix}", {}, "tied")
    assert len(load_file(tmp_path / "t.safetensors")) == 4


def test_several_inputs_all_take_any_batch(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
            return first + second, first * second

    path = tmp_path / "two.onnx"
    assert write_network(Two(), [(1, 3, 8, 8), (1, 3, 8, 8)], path, {}, "two").any_batch
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    a, b = torch.rand(5, 3, 8, 8), torch.rand(5, 3, 8, 8)
    names = [one.name for one in session.get_inputs()]
    added, multiplied = session.run(None, dict(zip(names, (a.numpy(), b.numpy()), strict=True)))
    assert torch.equal(torch.from_numpy(added), a + b)
    assert torch.equal(torch.from_numpy(multiplied), a * b)


def test_a_network_for_single_images_is_exported_for_them(tmp_path: Path) -> None:
    class Single(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(3, 8, 8).mean(0)

    for suffix in ("onnx", "pt2"):
        path = tmp_path / f"one.{suffix}"
        assert write_network(Single(), [(1, 3, 8, 8)], path, {}, "one") == Exported(str(path), False)


def test_a_network_that_cannot_be_exported_says_why_in_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    class Choosing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sin() if x.sum() > 0 else x.cos()

    for suffix in ("onnx", "pt2"):
        with pytest.raises(InputError, match=rf"^chooser cannot be exported as \.{suffix}: .+") as caught:
            write_network(Choosing(), [(1, 3)], tmp_path / f"c.{suffix}", {}, "chooser")
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    write_network(Choosing(), [(1, 3)], tmp_path / "c.safetensors", {}, "chooser")


def test_a_wrong_ending_or_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    class Untouched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("it was run")

    with pytest.raises(InputError, match=r"ends in \.onnx, \.pt2 or \.safetensors"):
        write_network(Untouched(), [(1, 3)], tmp_path / "net.pth", {}, "net")
    with pytest.raises(InputError, match="there is no folder"):
        write_network(Untouched(), [(1, 3)], tmp_path / "nowhere" / "net.onnx", {}, "net")
