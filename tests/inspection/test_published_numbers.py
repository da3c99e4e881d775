"""Parameters and MACs beside the numbers that timm and torchvision publish for their networks.

`tests/reference/timm.csv` holds those of timm's benchmark files (`results/` in its repository), which round to two
decimals of a million or a billion; `torchvision.csv` those of torchvision's weights, at the size of their images.
A sample is checked always, all of them with `-m slow`. Every exception is listed with its reason.
"""

from __future__ import annotations

import csv
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import timm

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.portrait import portray

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
SAMPLE = 40
TOLERANCE = 0.04
NORMALISATION = {"batch": 2, "group": 5, "layer": 5}
"""Operations an element that timm's benchmark adds for normalisation, which are no multiplications of weights."""

MERGED = [
    "efficientvit_m?",
    "fastvit_*",
    "ghostnetv3_*",
    "levit_*",
    "mobileone_*",
    "nextvit_*",
    "repghostnet_*",
    "repvgg_*",
    "repvit_*",
    "shvit_*",
    "tiny_vit_*",
]
"""Published as they are deployed, with branches or normalisations merged into one kernel; built as they are trained."""
WITHOUT_DEPTHWISE = "convmixer_*"
"""Their depthwise convolutions pad with the word `same`, which the tool that counted them left out."""


@cache
def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((REFERENCE / name).read_text(encoding="utf-8").splitlines()))


def sampled(name: str) -> list[dict[str, str]]:
    """Returns rows evenly spread over a file."""
    step = max(len(rows(name)) // SAMPLE, 1)
    return rows(name)[::step]


def normalisation(anatomy: Anatomy) -> int:
    """Returns the operations that normalisations take by the count of timm's benchmark."""
    total = 0
    for layer in anatomy.layers:
        for kind, operations in NORMALISATION.items():
            if f"{kind}norm" in layer.type.lower().replace("_", "") and layer.output_shapes:
                channels, *places = layer.output_shapes[0][1:]
                elements = channels
                for places_of_one in places:
                    elements *= places_of_one
                total += operations * elements
    return total


def convolutional(anatomy: Anatomy) -> bool:
    """Whether convolutions do most of the work and next to none is a product of activations."""
    products = sum(layer.macs for layer in anatomy.layers if not layer.params and layer.macs)
    convolutions = sum(layer.macs for layer in anatomy.layers if "conv" in layer.type.lower())
    return products <= 0.005 * anatomy.macs and convolutions > 0.5 * anatomy.macs


def check_timm(row: dict[str, str]) -> None:
    name = row["model"]
    if name not in timm.list_models():
        pytest.skip("timm has no network of this name any more, or gives another one for it")
    if any(fnmatch(name, pattern) for pattern in MERGED):
        assert portray(f"timm:{name}").anatomy.params >= 1e6 * float(row["params_millions"]) - 5000
        return
    side = int(float(row["size"]))
    network = portray(f"timm:{name}")
    if network.input[1:] != (side, side):
        network = portray(f"timm:{name}", (network.input[0], side, side))
    anatomy = network.anatomy
    assert anatomy.params == pytest.approx(1e6 * float(row["params_millions"]), abs=5001)
    if anatomy.failure is not None or not row["gmacs"] or not convolutional(anatomy):
        return  # some transformers take one size alone, and their attention is counted in many ways
    macs = anatomy.macs
    if fnmatch(name, WITHOUT_DEPTHWISE):
        macs -= sum(layer.macs for layer in anatomy.layers if dict(layer.hyperparameters).get("groups", 1) != 1)
    published = 1e9 * float(row["gmacs"])
    if abs(published - macs) > TOLERANCE * macs + 5e6:  # a small network's normalisation weighs more than that
        assert published == pytest.approx(macs + normalisation(anatomy), rel=0.02, abs=5e6)


def check_torchvision(row: dict[str, str]) -> None:
    side = int(row["size"])
    anatomy = portray(f"torchvision:{row['model']}", (3, side, side)).anatomy
    assert anatomy.params == int(row["params"])
    if anatomy.failure is None:
        assert anatomy.macs == pytest.approx(1e9 * float(row["gmacs"]), rel=0.01, abs=5.1e5)


@pytest.mark.parametrize("row", sampled("timm.csv"), ids=lambda row: row["model"])
def test_a_sample_of_timms_numbers(row: dict[str, str]) -> None:
    check_timm(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows("timm.csv"), ids=lambda row: row["model"])
def test_all_of_timms_numbers(row: dict[str, str]) -> None:
    check_timm(row)


@pytest.mark.parametrize("row", sampled("torchvision.csv"), ids=lambda row: f"{row['model']}-{row['weights']}")
def test_torchvisions_numbers(row: dict[str, str]) -> None:
    check_torchvision(row)
