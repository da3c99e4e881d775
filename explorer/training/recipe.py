"""What to train and how: typed, checked, saved as TOML."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from explorer.architectures.options import Option, Scalar
from explorer.errors import InputError

Optimiser = Literal["sgd", "nesterov", "rmsprop", "adam", "adamw", "lamb"]
SecondOptimiser = Literal["same", "sgd", "nesterov", "rmsprop", "adam", "adamw", "lamb"]
Schedule = Literal["constant", "step", "cosine", "one-cycle", "inverse time"]
Augmentation = Literal["none", "crop", "flip and crop", "alexnet", "trivial"]
Evaluation = Literal["plain", "mirror", "ten-crop"]
Precision = Literal["auto", "32", "bf16", "fp16"]
Auxiliary = Literal["summed", "in turn"]
FirstWeights = Literal["own", "glorot"]

RANGES: Mapping[str, tuple[float, float]] = {
    "validation": (0.01, 0.9),
    "epochs": (1, 100_000),
    "patience": (0, 100_000),
    "batch_size": (1, 1_000_000),
    "accumulate": (1, 100_000),
    "learning_rate": (1e-9, 1000),
    "momentum": (0, 0.9999),
    "epsilon": (0, 1000),
    "weight_decay": (0, 10),
    "clip_norm": (0, 1e9),
    "average": (0, 0.99999),
    "warm_up": (0, 100_000),
    "factor": (0, 1),
    "decay": (0, 1000),
    "label_smoothing": (0, 0.99),
    "mixup": (0, 100),
    "cutmix": (0, 100),
    "shift": (0, 0.5),
    "erasing": (0, 1),
    "unfreeze": (0, 100_000),
    "unfreeze_rate": (0, 1000),
    "seed": (0, 2**31 - 1),
    "threads": (0, 1024),
}


GREY = ("mnist", "fashion_mnist", "kmnist", "emnist_letters", "emnist_balanced")
"""Datasets of small grey images on a black ground."""
SMALL_PHOTOGRAPHS = ("cifar10", "cifar100", "svhn", "stl10")
"""Datasets of small photographs."""


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
    patience: int = 0
    """The run ends when so many epochs in a row have not been better than the best one; 0: never."""
    batch_size: int = 64
    """Images a step."""
    accumulate: int = 1
    """Parts that a batch is taken in, one after the other, to save memory. The gradient is the whole batch's; only
    batch normalisation sees a part at a time."""
    optimiser: Optimiser = "nesterov"
    """`sgd` is with plain momentum, `nesterov` with Nesterov's."""
    learning_rate: float = 0.05
    """The highest of the run."""
    momentum: float = 0.9
    """The share of the last step that goes into the next; β₁ of Adam, AdamW and LAMB."""
    epsilon: float = 0.0
    """Added to what RMSprop, Adam, AdamW and LAMB divide by, 1 in the papers on Inception and MobileNet; 0: as small as
    torch has it."""
    weight_decay: float = 0.0
    """Normalisation and biases are spared."""
    clip_norm: float = 0.0
    """Gradients longer than this are shortened to it (Pascanu et al. 2013); 0: never."""
    average: float = 0.0
    """Decay of the moving average of the weights, 0.999 for instance: the average is evaluated and saved as the best
    weights, the weights themselves go on being trained; 0: no average."""
    schedule: Schedule = "cosine"
    warm_up: float = 0.0
    """Epochs in which the rate rises to its highest before the schedule begins (Goyal et al. 2017)."""
    milestones: tuple[float, ...] = (0.5, 0.75)
    """Of the schedule `step`: after which shares of the run the rate is multiplied by `factor`."""
    factor: float = 0.1
    """Of the schedule `step`."""
    decay: float = 0.001
    """Of the schedule `inverse time`: the rate of step t is `learning_rate` / (1 + `decay` · t)."""
    label_smoothing: float = 0.0
    mixup: float = 0.0
    """α of mixup (Zhang et al. 2018); 0: none."""
    cutmix: float = 0.0
    """α of CutMix (Yun et al. 2019); 0: none. With mixup as well, chance decides for each batch."""
    augmentation: Augmentation = "none"
    """`crop`: shifted by up to `shift`; `flip and crop`: mirrored as well; `alexnet`: a random part of
    an image that is an eighth larger, mirrored, with colour noise (Krizhevsky et al. 2012); `trivial`: TrivialAugment
    (Müller and Hutter 2021)."""
    shift: float = 0.125
    """The share of the side by which `crop` and `flip and crop` shift an image at most."""
    erasing: float = 0.0
    """Share of the training images of which a rectangle is blanked (Zhong et al. 2020)."""
    evaluation: Evaluation = "plain"
    """What an image is judged by: itself, itself and its mirror image, or its four corners and its centre, mirrored as
    well (Krizhevsky et al. 2012)."""
    auxiliary: Auxiliary = "summed"
    """How a network with auxiliary heads learns: from the weighted sum of all losses at every step, or from one head
    after the other, the one nearest to the image first, each for an equal part of the run. Accuracies are always
    those of the main output."""
    weights: str = ""
    """What the run begins with: empty for fresh random weights, `pretrained` for the network's published ones, else a
    run's folder, its `last.ckpt`, or a safetensors file. A classifier for other classes begins afresh."""
    first_weights: FirstWeights = "own"
    """What fresh random weights are drawn from: `own` is what the network's code has; `glorot` is uniform, as wide as
    Glorot and Bengio (2010) have it, with biases of 0, as in Keras."""
    freeze: str = ""
    """The layers up to this one, by its dotted name, keep their weights."""
    unfreeze: int = 0
    """The epoch, from 1, that begins a second phase, in which only the layers up to `refreeze` are frozen, with a
    warm-up and a schedule of its own; 0: there is none."""
    refreeze: str = ""
    """The layers up to this one keep their weights in the second phase as well."""
    unfreeze_rate: float = 0.0
    """The highest learning rate of the second phase; 0: the same as of the first."""
    unfreeze_optimiser: SecondOptimiser = "same"
    """The optimiser of the second phase, which begins it without a past; `same` is that of the first, which goes on."""
    channels_last: bool = False
    """Channels are the innermost dimension in memory, which is faster on some GPUs and CPUs."""
    compiled: bool = False
    """The network is compiled by torch.compile: a minute at the start, faster steps afterwards."""
    precision: Precision = "auto"
    """`auto` is mixed precision on a GPU and 32 bits elsewhere."""
    seed: int = 0
    """Fixes split, first weights, order and augmentation."""
    threads: int = 0
    """CPU threads; 0: as many as there are cores, of more than two all but one. With and without the window they are
    as many, so that the same run has the same numbers."""

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name, choices in _choices().items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.input is not None and (len(self.input) != 3 or min(self.input) < 1 or self.input[0] not in (1, 3)):
            raise InputError(f"input must be channels (1 or 3), height and width, not {self.input}")
        shares = self.milestones
        if not all(isinstance(share, float) and 0 < share < 1 for share in shares) or list(shares) != sorted(shares):
            raise InputError(f"milestones must be shares of the run between 0 and 1, ascending, not {shares}")
        if self.unfreeze and not (self.freeze and 1 < self.unfreeze <= self.epochs):
            raise InputError(
                "unfreeze must be an epoch from 2 to the last, and needs freeze, the layers that are frozen until then"
            )
        for name, value in self.options.items():
            if not isinstance(value, int | float | bool | str):
                raise InputError(f"options: {name} must be a number, text, true or false, not {value!r}")

    def to_toml(self) -> str:
        """Returns the recipe as TOML; settings that are None are left out."""
        import tomli_w

        return tomli_w.dumps({name: value for name, value in asdict(self).items() if value is not None})


@cache
def _choices() -> Mapping[str, tuple[str, ...]]:
    """Returns the settings that are one of a few words, with those words."""
    kinds = get_type_hints(Recipe)
    return {name: get_args(kind) for name, kind in kinds.items() if get_origin(kind) is Literal}


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
        elif name == "milestones":
            checked[name] = _shares(value)
        else:
            checked[name] = _convert(name, value, types[name])
    return Recipe(**checked)


def _convert(name: str, value: object, kind: type) -> object:
    if kind is bool:
        return Option(name, bool, False).parse(value)
    if kind is not str:
        low, high = RANGES[name]
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


def _shares(value: object) -> tuple[float, ...]:
    parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise InputError(f"milestones must be shares of the run (0.5,0.75), not {value!r}")
    return tuple(float(Option("milestones", float, 0.5).parse(part)) for part in parts)


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
    """Returns a recipe that is good and quick for a dataset.

    LeNet-5 tells 99.2 % of MNIST's test images right with it. Channels come last: on processors without a GPU a step of
    the small networks takes two thirds of the time so. Users' own networks may rely on the other order.
    """
    common = Recipe(architecture, dataset, weight_decay=5e-4, channels_last=".py" not in architecture)
    if dataset == "digits":
        return replace(common, batch_size=32, weight_decay=1e-4, augmentation="crop")
    if dataset in GREY:
        recipe = replace(common, validation=0.05, epochs=10, batch_size=128, schedule="one-cycle", learning_rate=0.1)
        return replace(recipe, augmentation="crop", shift=0.0625)
    recipe = replace(common, validation=0.1, epochs=10, batch_size=128)
    if dataset in SMALL_PHOTOGRAPHS:
        kind: Augmentation = "crop" if dataset == "svhn" else "flip and crop"  # a mirrored digit is none
        return replace(recipe, epochs=30, augmentation=kind, schedule="one-cycle", learning_rate=0.1)
    return recipe
