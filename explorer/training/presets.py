"""Recipes with a name: how a paper or a tutorial trained its network, as far as a recipe can say it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from explorer.errors import InputError
from explorer.resources import resource
from explorer.training.recipe import Recipe, default_recipe, from_mapping

GOOD_AND_QUICK = "good-and-quick"
"""The name of `default_recipe`, which is made for each network and dataset."""

OF_THE_NETWORK = (
    "architecture",
    "options",
    "input",
    "freeze",
    "unfreeze",
    "refreeze",
    "unfreeze_rate",
    "unfreeze_optimiser",
)
"""Settings that mean something for the preset's own network alone."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe with a name."""

    name: str
    """As the command line writes it: `resnet-cifar`."""
    title: str
    source: str
    """Where it is printed."""
    departures: str
    """What is done otherwise than there."""
    recipe: Mapping[str, Any]

    def recipe_for(self, architecture: str = "", dataset: str = "") -> Recipe:
        """Returns the recipe for its own network and dataset, or for others."""
        values = dict(self.recipe)
        if architecture and architecture != values["architecture"]:
            values = {name: value for name, value in values.items() if name not in OF_THE_NETWORK}
            values["architecture"] = architecture
            values["channels_last"] = ".py" not in architecture  # users' own networks may rely on the other order
        return from_mapping(values | ({"dataset": dataset} if dataset else {}), f"the preset {self.name}")


def preset_names() -> tuple[str, ...]:
    """Returns the names of all presets; opens none of them."""
    return (GOOD_AND_QUICK, *sorted(path.stem for path in resource("recipes").glob("*.toml")))


@cache
def presets() -> Mapping[str, Preset]:
    """Returns the presets by name: those of `resources/recipes`."""
    files = {name: resource("recipes", f"{name}.toml") for name in preset_names() if name != GOOD_AND_QUICK}
    return {name: Preset(name, **tomllib.loads(file.read_text(encoding="utf-8"))) for name, file in files.items()}


def preset_recipe(name: str, architecture: str = "", dataset: str = "") -> Recipe:
    """Returns a preset's recipe for a network and a dataset; its own where they are left empty.

    Raises:
        InputError: there is no preset of that name.
    """
    if name == GOOD_AND_QUICK:
        return default_recipe(architecture or "lenet5", dataset or "digits")
    if name not in presets():
        near = difflib.get_close_matches(name, preset_names(), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"there is no preset {name!r}: {hint}the presets are {', '.join(preset_names())}")
    return presets()[name].recipe_for(architecture, dataset)
