from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec, load_weights, save_weights

SPEC = ModelSpec(
    architecture="nets/ä.py:Net",
    options={"num_classes": 2, "dropout": 0.25, "aux": True, "activation": "relu"},
    preprocessing=Preprocessing((3, 24, 32), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), resize=28, interpolation="bicubic"),
    classes=("chat", "Hund 犬"),
)


def test_weights_and_description_come_back(tmp_path: Path) -> None:
    weights = {"a.weight": torch.randn(3, 2), "steps": torch.tensor(7), "half": torch.ones(2, dtype=torch.bfloat16)}
    save_weights(tmp_path / "best.safetensors", weights, SPEC)
    spec, loaded = load_weights(tmp_path / "best.safetensors")
    assert spec == SPEC
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype


def test_other_programs_can_read_the_file(tmp_path: Path) -> None:
    save_weights(tmp_path / "best.safetensors", {"a": torch.ones(2)}, SPEC)
    assert torch.equal(load_file(tmp_path / "best.safetensors")["a"], torch.ones(2))


def test_weights_in_any_order_of_memory_and_with_gradients_are_saved(tmp_path: Path) -> None:
    weights = {
        "turned": torch.arange(6.0).view(2, 3).T,
        "wanted": nn.Parameter(torch.ones(2)),
        "part": torch.arange(9)[3:5],
    }
    save_weights(tmp_path / "best.safetensors", weights, SPEC)
    _, loaded = load_weights(tmp_path / "best.safetensors")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    assert not loaded["wanted"].requires_grad


def test_weights_that_layers_share_are_saved_for_each(tmp_path: Path) -> None:
    shared = torch.randn(4, 4)
    save_weights(tmp_path / "best.safetensors", {"one": shared, "two": shared, "row": shared[1]}, SPEC)
    _, loaded = load_weights(tmp_path / "best.safetensors")
    assert torch.equal(loaded["one"], shared)
    assert torch.equal(loaded["two"], shared)
    assert torch.equal(loaded["row"], shared[1])


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no trained weights at"):
        load_weights(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: b"pickle" * 10,
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "best.safetensors"
    save_weights(path, {"a": torch.ones(100)}, SPEC)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="is not a readable safetensors file"):
        load_weights(path)


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    "description",
    [
        None,
        "no json",
        "[" * 100_000,
        "[]",
        "5",
        "{}",
        json.dumps({"architecture": "lenet5", "options": {}, "classes": [], "preprocessing": 3}),
        json.dumps({"architecture": "lenet5", "options": 3, "classes": [], "preprocessing": {}}),
    ],
    ids=lambda text: str(text)[:20],
)
def test_file_without_a_usable_description_is_refused(tmp_path: Path, description: str | None) -> None:
    metadata = {"format": "pt"} if description is None else {"explorer": description}
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors", metadata)
    with pytest.raises(InputError, match="was not written by Architecture Explorer"):
        load_weights(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"input": [2, 8, 8]},
        {"input": [1, 8]},
        {"input": ["one", 8, 8]},
        {"input": 5},
        {"mean": []},
        {"std": [0]},
        {"std": [None]},
        {"resize": 4},
        {"resize": "whole"},
        {"resize": float("inf")},
        {"interpolation": "nearest"},
    ],
    ids=str,
)
def test_preprocessing_that_cannot_be_done_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    preprocessing = {"input": [1, 8, 8], "mean": [0], "std": [1], "resize": 8, "interpolation": "bilinear"} | change
    document = {"architecture": "lenet5", "options": {}, "classes": ["a"], "preprocessing": preprocessing}
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors", {"explorer": json.dumps(document)})
    with pytest.raises(InputError) as caught:
        load_weights(tmp_path / "other.safetensors")
    assert "\n" not in str(caught.value)
