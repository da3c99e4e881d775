"""Presets of LeNet-5 through the command line: few images, and a loss far below that of guessing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from explorer import cli
from explorer.training.presets import presets

SMALL: dict[str, tuple[str, ...]] = {
    "lenet-1998": ("validation=0.5", "epochs=2"),
    "lenet-keras": ("batch_size=64", "epochs=4"),
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


@pytest.mark.slow
@pytest.mark.parametrize("preset", SMALL)
def test_preset_learns(preset: str, train: Callable[..., list[dict[str, Any]]]) -> None:
    events = train(presets()[preset].recipe["architecture"], preset, *SMALL[preset])
    losses = [event["train_loss"] for event in events if event["event"] == "epoch"]
    assert losses[-1] < 0.7 * math.log(10)
    assert losses[-1] < losses[0]
