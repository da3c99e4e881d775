"""What to train and how: typed, checked, saved as TOML."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from explorer.architectures.options import Option, Scalar
from explorer.errors import InputError

Optimiser = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "cosine", "one-cycle"]
Augmentation = Literal["none", "crop", "flip and crop"]
Precision = Literal["auto", "32", "bf16", "fp16"]

_RANGES: Mapping[str, tuple[float, float]] = {
    "validation": (0.01, 0.9),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "learning_rate": (1e-9, 1000),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 10),
    "label_smoothing": (0, 0.99),
    "seed": (0, 2**31 - 1),
    "threads": (0, 1024),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run, but for the machine it runs on."""

    architecture: str = "lenet5"
    """Registry name."""
    dataset: str = "digits"
    data_dir: str = ""
    """Folder that holds the dataset; empty for the app's own, where what is missing is downloaded."""
    options: dict[str, Scalar] = field(default_factory=dict)
    """Builder options of the architecture; the number of classes is the dataset's."""
    input: tuple[int, int, int] | None = None
    """Channels, height, width that images are scaled to; None for the network's canonical input."""
    validation: float = 0.2
    """Share of the training images held out to judge the epochs by."""
    epochs: int = 20
    batch_size: int = 64
    optimiser: Optimiser = "sgd"
    """`sgd` is with Nesterov momentum where momentum is not 0."""
    learning_rate: float = 0.05
    """The highest of the run."""
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    label_smoothing: float = 0.0
    augmentation: Augmentation = "none"
    precision: Precision = "auto"
    """`auto` is mixed precision on a GPU and 32 bits elsewhere."""
    seed: int = 0
    """Fixes split, first weights, order and augmentation."""
    threads: int = 0
    """CPU threads; 0 leaves one core to the window, so that the same run has the same numbers with and without it."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name in ("optimiser", "schedule", "augmentation", "precision"):
            choices = get_args(get_type_hints(Recipe)[name])
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.input is not None and (len(self.input) != 3 or min(self.input) < 1 or self.input[0] not in (1, 3)):
            raise InputError(f"input must be channels (1 or 3), height and width, not {self.input}")
        for name, value in self.options.items():
            if not isinstance(value, int | float | bool | str):
                raise InputError(f"options: {name} must be a number, text, true or false, not {value!r}")

    def to_toml(self) -> str:
        """Returns the recipe as TOML; settings that are None are left out."""
        import tomli_w

        return tomli_w.dumps({name: value for name, value in asdict(self).items() if value is not None})


def from_mapping(values: Mapping[str, Any], origin: str = "the recipe") -> Recipe:
    """Returns a recipe from plain values.

    Raises:
        InputError: an unknown setting, or one of the wrong type or out of range.
    """
    types = {item.name: type(item.default) for item in fields(Recipe)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            raise InputError(f"{origin} has no setting {name!r}" + (f": did you mean {near[0]}?" if near else ""))
        if name == "input":
            checked[name] = _input(value)
        elif name == "options":
            if not isinstance(value, Mapping):
                raise InputError(f"{origin}: options must be a table, not {value!r}")
            checked[name] = dict(value)
        else:
            checked[name] = _convert(name, value, types[name])
    return Recipe(**checked)


def _convert(name: str, value: object, kind: type) -> object:
    if kind is not str:
        low, high = _RANGES[name]
        return Option(name, kind, kind(), low, high).parse(value)
    if not isinstance(value, str) or "\0" in value:
        raise InputError(f"{name} must be text, not {value!r}")
    return value


def _input(value: object) -> tuple[int, int, int] | None:
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) != 3:
        raise InputError(f"input must be channels, height and width (1,32,32), not {value!r}")
    channels, height, width = (int(Option("input", int, 1).parse(part)) for part in parts)
    return channels, height, width


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe from a TOML file.

    Raises:
        InputError: it cannot be read, is no TOML or no recipe.
    """
    if not os.path.isfile(path):  # a named pipe would be waited for without end
        raise InputError(f"{path} is not a file: give the path of a recipe")
    try:
        if path.stat().st_size > 1_000_000:
            raise InputError(f"{path} is too large for a recipe")
        return from_mapping(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, a thousand nested lists
        raise InputError(f"{path} is not a TOML file that can be read: {error}") from None


def change(recipe: Recipe, settings: Mapping[str, str]) -> Recipe:
    """Returns the recipe with settings from a command line; what is no setting is an option of the architecture."""
    own = {item.name for item in fields(Recipe)} - {"options"}
    options = {name: value for name, value in settings.items() if name not in own}
    values = asdict(recipe) | {name: value for name, value in settings.items() if name in own}
    return from_mapping(values | {"options": recipe.options | options})


def default_recipe(architecture: str, dataset: str) -> Recipe:
    """Returns a recipe that is good and quick for a dataset."""
    if dataset == "digits":
        return Recipe(architecture, dataset, batch_size=32, weight_decay=1e-4, augmentation="crop")
    recipe = Recipe(architecture, dataset, validation=0.1, epochs=10, batch_size=128, weight_decay=5e-4)
    if dataset == "cifar10":
        return replace(recipe, epochs=30, augmentation="flip and crop", schedule="one-cycle", learning_rate=0.1)
    return recipe
