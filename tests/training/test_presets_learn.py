"""Every preset through the command line: few and small images, and a loss far below that of guessing."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch

from explorer import cli
from explorer.training.presets import GOOD_AND_QUICK, presets
from explorer.training.run_folder import RunFolder

Events = list[dict[str, Any]]
Run = Callable[..., Events]

DIGITS: dict[str, tuple[str, ...]] = {
    "lenet-1998": ("validation=0.5", "epochs=2"),
    "lenet-keras": ("batch_size=64", "epochs=4"),
}
PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    "alexnet": ("input=3,67,67", "batch_size=16", "epochs=6"),
    "vgg": ("input=3,32,32", "batch_size=16", "epochs=12"),
    "resnet-cifar": ("batch_size=16", "epochs=10"),
    "densenet-bc": ("input=3,16,16", "batch_size=16", "epochs=6"),
    "mobilenet-v2": ("input=3,64,64", "batch_size=16", "epochs=8"),
}
"""What is made smaller; the rest is the preset's."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Returns a function that trains by a preset and gives what `train` prints."""

    def train(name: str, preset: str, dataset: str, *settings: str) -> Events:
        changes = [part for setting in ("threads=1", *settings) for part in ("--set", setting)]
        arguments = ["train", name, "--preset", preset, "--dataset", dataset, *changes, "--json"]
        assert cli.run(arguments) == 0, capsys.readouterr().err
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return train


@pytest.fixture
def photographs(tmp_path: Path, shared_data: Callable[..., Path]) -> Callable[..., str]:
    """Returns a function that unpacks a hundred photographs of each of some classes, and gives the dataset's name."""

    def unpack(*classes: str) -> str:
        with ZipFile(shared_data("cifar10_jpeg_part.zip")) as archive:
            for label in classes:
                inside = f"cifar10_jpeg/train/{label}/"
                chosen = [name for name in sorted(archive.namelist()) if name.startswith(inside) and name != inside]
                archive.extractall(tmp_path / "-".join(classes), chosen[:100])
        return f"folder:{tmp_path / '-'.join(classes) / 'cifar10_jpeg'}"

    return unpack


def losses(events: Events) -> list[float]:
    """Returns the mean loss of each epoch."""
    return [event["train_loss"] for event in events if event["event"] == "epoch"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", DIGITS)
def test_preset_learns_digits(preset: str, run: Run) -> None:
    told = losses(run(presets()[preset].recipe["architecture"], preset, "digits", *DIGITS[preset]))
    assert told[-1] < min(0.7 * math.log(10), told[0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("preset", PHOTOGRAPHS)
def test_preset_learns_photographs(preset: str, run: Run, photographs: Callable[..., str]) -> None:
    network = presets()[preset].recipe["architecture"]
    told = losses(run(network, preset, photographs("airplane", "frog"), *PHOTOGRAPHS[preset]))
    assert told[-1] < min(0.7 * math.log(2), told[0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_inception_trains_its_classifier_and_then_two_blocks(run: Run, photographs: Callable[..., str]) -> None:
    """Its published weights need a connection: here the run begins with those of one epoch on other classes."""
    network, small = "inception_v3", ("input=3,75,75", "batch_size=16")
    before = run(network, GOOD_AND_QUICK, photographs("ship", "deer"), *small, "epochs=1")[-1]["run"]
    settings = (*small, f"weights={before}", "epochs=2", "unfreeze=2")
    after = run(network, "inception-v3-finetune", photographs("airplane", "frog"), *settings)[-1]["run"]
    began, ended = (RunFolder(Path(folder)).load_checkpoint() for folder in (before, after))
    assert began is not None
    assert ended is not None
    changed = {name for name, value in began["model"].items() if not torch.equal(value, ended["model"][name])}
    assert {name.split(".")[0] for name in changed} == {"Mixed_7b", "Mixed_7c", "fc"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_both_phases_of_inceptions_recipe_tune_published_weights(run: Run, shared_data: Callable[..., Path]) -> None:
    """Those of EfficientNet-Lite0, which are installed; the new classifier begins as Keras' does."""
    layers = ("freeze=global_pool", "refreeze=blocks.4", "unfreeze_rate=1e-4", "unfreeze_optimiser=sgd")
    settings = (*layers, "first_weights=glorot", "input=3,128,128", "batch_size=16", "epochs=10", "unfreeze=7")
    photographs = f"folder:{shared_data('hymenoptera')}"
    told = losses(run("efficientnet_lite0", "inception-v3-finetune", photographs, *settings))
    assert statistics.mean(told[4:6]) < 0.85 * told[0]
    assert statistics.mean(told[-3:]) < 0.7 * math.log(2)
