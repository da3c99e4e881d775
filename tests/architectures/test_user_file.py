"""Networks from a user's own file, `path/to/file.py:NAME`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError

SOURCE = """
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from user_blocks import block


@dataclass
class Settings:
    width: int = 4


class Net(nn.Module):
    def __init__(self, num_classes: int = 10, depth: Literal[1, 2] = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(*[block(3, Settings().width) for _ in range(1)])
        self.head = nn.Linear(Settings().width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def make(num_classes: int = 5) -> nn.Module:
    return Net(num_classes)


ready = Net(3)
tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
tied[1].weight = tied[0].weight
number = 7


def counts() -> int:
    return number


def needs(width: int) -> nn.Module:
    return nn.Linear(width, width)


def breaks() -> nn.Module:
    raise RuntimeError("out of\\n luck")


def computes() -> nn.Module:
    return nn.Linear(int(torch.linspace(1, 3, 3)[-1]), 2)
"""


@pytest.fixture
def net_file(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "user_blocks.py").write_text(
        "from torch import nn\n\n\ndef block(channels, width):\n    return nn.Conv2d(channels, width, 3, padding=1)\n"
    )
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("user_blocks", None)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def classes(network: Any) -> int:
    return int(network.head.out_features)


@pytest.mark.parametrize(
    ("name", "head"), [("Net", 10), ("make", 5), ("ready", 3)], ids=["class", "function", "instance"]
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_class_a_function_and_a_ready_network_are_all_built(
    net_file: Path, name: str, head: int, device: str
) -> None:
    network = build(entry(f"{net_file}:{name}"), device=device)
    assert parameters(network) == 4 * 27 + 4 + 4 * head + head
    assert {parameter.device.type for parameter in network.parameters()} == {device}
    assert network(torch.zeros(2, 3, 8, 8, device=device)).shape == (2, head)


def test_the_entry_says_where_the_network_is_from(net_file: Path) -> None:
    known = entry(f"{net_file}:Net")
    assert (known.name, known.title, known.source) == (f"{net_file}:Net", "Net", "file")
    assert known.input == (3, 224, 224)
    assert known.note.en == f"From {net_file}"


def test_options_are_those_of_its_signature(net_file: Path) -> None:
    known = entry(f"{net_file}:Net")
    assert {option.name: option.default for option in options(known)} == {"num_classes": 10, "depth": 1}
    assert classes(build(known, num_classes="4", depth="2")) == 4
    with pytest.raises(InputError, match="depth must be one of 1, 2, not '3'"):
        build(known, depth="3")


def test_a_relative_path_is_taken_from_the_current_folder(net_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(net_file.parent)
    assert parameters(build(entry("net.py:make"))) == 4 * 27 + 4 + 5 * 5
    assert parameters(build(entry("./net.py:make"))) == 4 * 27 + 4 + 5 * 5


def test_a_shared_parameter_stays_shared_without_memory(net_file: Path) -> None:
    network: Any = build(entry(f"{net_file}:tied"), device="meta")
    assert network[0].weight is network[1].weight
    assert parameters(network) == 16


def test_a_constructor_that_computes_with_numbers_can_be_shown(net_file: Path) -> None:
    network: Any = build(entry(f"{net_file}:computes"), device="meta")
    assert (network.in_features, network.weight.device.type) == (3, "meta")


def test_a_changed_file_is_read_again(net_file: Path) -> None:
    assert classes(build(entry(f"{net_file}:make"))) == 5
    net_file.write_text(SOURCE.replace("num_classes: int = 5", "num_classes: int = 66"))
    assert classes(build(entry(f"{net_file}:make"))) == 66


def test_the_search_path_is_left_as_it_was(net_file: Path) -> None:
    before = list(sys.path)
    build(entry(f"{net_file}:Net"))
    assert sys.path == before


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.py is not a file: give the path of a Python file"):
        entry(f"{tmp_path / 'nothing.py'}:Net")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match=r"folder\.py is not a file"):
        entry(f"{tmp_path / 'folder.py'}:Net")


@pytest.mark.parametrize("end", ["", ":"])
def test_a_file_without_a_name_asks_for_one(net_file: Path, end: str) -> None:
    with pytest.raises(InputError, match=r"say which class or function of the file, as .*net\.py:NAME"):
        entry(f"{net_file}{end}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nat", r"net\.py has no 'Nat'; it has .*Net"),
        ("number", r"number is of type int: name a torch\.nn\.Module class or a function that gives one"),
        ("counts", r"counts gives something of type int, not a torch\.nn\.Module"),
        ("Settings", r"Settings gives something of type Settings, not a torch\.nn\.Module"),
        ("needs", r"needs cannot be built with these options: .*missing 1 required positional argument: 'width'"),
        ("breaks", r"breaks cannot be built with these options: out of luck"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_gives_no_network_is_told(net_file: Path, name: str, message: str, device: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build(entry(f"{net_file}:{name}"), device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ValueError('two\\nlines')", "fails when it is loaded: ValueError: two lines"),
        ("def broken(:", "fails when it is loaded: SyntaxError"),
        ("import nowhere_to_be_found", "fails when it is loaded: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)", "fails when it is loaded: SystemExit: 3"),
        ("import sys\nsys.path.clear()\nraise KeyError('x')", "fails when it is loaded: KeyError"),
        ("", "has no 'Net'; it has nothing to call"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(InputError, match=message) as caught:
        options(entry(f"{path}:Net"))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bytes.py"
    path.write_bytes(b"\x00\xff\x00")
    with pytest.raises(InputError, match="fails when it is loaded"):
        options(entry(f"{path}:Net"))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_constructor_that_ends_the_program_ends_nothing(tmp_path: Path, device: str) -> None:
    path = tmp_path / "ends.py"
    path.write_text("import sys\n\ndef net():\n    sys.exit(0)\n")
    with pytest.raises(InputError, match="cannot be built"):
        build(entry(f"{path}:net"), device=device)
