"""Every preset through the command line: a small network input, few images, and a loss far below that of guessing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer import cli
from explorer.architectures.registry import build, entry
from explorer.training.presets import GOOD_AND_QUICK, preset_names, presets

SMALL: dict[str, tuple[str, ...]] = {
    "alexnet": ("input=3,64,64", "batch_size=32", "epochs=16"),
    "densenet-bc": ("input=3,16,16", "batch_size=32", "epochs=4"),
    "inception-v3-finetune": ("input=3,75,75", "validation=0.8", "epochs=6", "unfreeze=4"),
    "lenet-1998": ("validation=0.5", "epochs=2"),
    "lenet-keras": ("batch_size=64", "epochs=4"),
    "mobilenet-v2": ("input=3,32,32", "batch_size=32", "epochs=8"),
    "resnet-cifar": ("input=3,16,16", "epochs=6"),
    "vgg": ("input=3,32,32", "batch_size=32", "epochs=16"),
    GOOD_AND_QUICK: ("epochs=4",),
}
"""What is made smaller; the rest is the preset's."""


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Returns a function that runs `train` on the digits and gives what it prints."""

    def run(name: str, preset: str, *settings: str) -> list[dict[str, Any]]:
        changes = [part for setting in settings for part in ("--set", setting)]
        arguments = ["train", name, "--preset", preset, "--dataset", "digits", *changes, "--json"]
        assert cli.run(arguments) == 0, capsys.readouterr().err
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_no_preset_is_left_out() -> None:
    assert SMALL.keys() == set(preset_names())


@pytest.mark.slow
@pytest.mark.parametrize("preset", SMALL)
def test_preset_learns(preset: str, train: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    settings = SMALL[preset]
    name = presets()[preset].recipe["architecture"] if preset in presets() else "lenet5"
    if preset == "inception-v3-finetune":  # published weights would have to be fetched
        from safetensors.torch import save_file

        save_file(build(entry(name)).state_dict(), tmp_path / "weights.safetensors")
        settings += (f"weights={tmp_path / 'weights.safetensors'}",)
    events = train(name, preset, *settings)
    losses = [event["train_loss"] for event in events if event["event"] == "epoch"]
    assert losses[-1] < 0.7 * math.log(10)
    assert losses[-1] < losses[0]
