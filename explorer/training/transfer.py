"""Beginning with weights that were trained before, and keeping some of them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.architectures.registry import entry
from explorer.errors import InputError
from explorer.tasks.pretrained import PRETRAINED, load_pretrained
from explorer.training.recipe import Recipe
from explorer.training.run_folder import BEST, LAST, RunFolder

if TYPE_CHECKING:
    from torch import Tensor, nn

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, on the 0–1 scale, that weights were trained with."""

TRANSFORMED = ("googlenet", "inception_v3")
"""Networks whose weights come from TensorFlow: torchvision's own network scales images to -1…1 by itself with them."""


def load_initial(recipe: Recipe, network: nn.Module, classes: int) -> Statistics | None:
    """Gives a network the weights that the recipe begins with.

    Args:
        recipe: tells which.
        network: gets them; a layer that tells another number of classes apart keeps its random ones.
        classes: of the dataset.

    Returns:
        the statistics that images must be normalised with; None where the weights do not say.

    Raises:
        InputError: there are none, or they belong to another network.
    """
    if not recipe.weights:
        return None
    weights, statistics = _published(recipe.architecture) if recipe.weights == "pretrained" else _saved(recipe.weights)
    _take_over(network, weights, classes, f"the weights {recipe.weights}", recipe.architecture)
    return statistics


def _saved(place: str) -> tuple[dict[str, Tensor], Statistics | None]:
    """Reads a run's best weights, its last ones, or any safetensors file of weights under the network's own names."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from explorer.tasks.weights_file import load_weights

    path = Path(place) / "best.safetensors" if os.path.isdir(place) else Path(place)
    if not os.path.isfile(path):
        raise InputError(f"there are no weights at {path}: give a run's folder, a safetensors file or pretrained")
    if path.name == LAST:
        checkpoint = RunFolder(path.parent).load_checkpoint() or {}
        best = path.with_name(BEST)
        return checkpoint.get("model", {}), _saved(str(best))[1] if best.is_file() else None
    try:
        spec, weights = load_weights(path)
    except InputError:
        try:
            return load_file(path), None
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} is not a readable safetensors file ({error}): give another one") from None
    return weights, (spec.preprocessing.mean, spec.preprocessing.std)


def _published(name: str) -> tuple[dict[str, Tensor], Statistics]:
    if name in PRETRAINED:
        spec, weights = load_pretrained(name)
        return weights, (spec.preprocessing.mean, spec.preprocessing.std)
    network = entry(name)
    own = name.removeprefix("torchvision:")
    try:
        if network.implementation == "timm" and name.startswith("timm:"):
            import timm

            model = timm.create_model(name.removeprefix("timm:"), pretrained=True)
            return model.state_dict(), (network.mean, network.std)
        if network.implementation == "torchvision":
            from torchvision import models

            if own in models.list_models():
                published = models.get_model_weights(own).DEFAULT
                transforms = published.transforms()
                scaled = ((0.5,) * 3, (0.5,) * 3) if own in TRANSFORMED else (transforms.mean, transforms.std)
                return published.get_state_dict(progress=False, check_hash=True), (tuple(scaled[0]), tuple(scaled[1]))
    except Exception as error:  # whatever a library makes of a missing connection
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise InputError(
            f"the published weights of {name} cannot be fetched ({reason}): look to the connection, or give a file"
        ) from None
    raise InputError(
        f"no published weights of {name} are known: give a safetensors file, or use {', '.join(PRETRAINED)}, whose "
        "weights are installed"
    )


def _take_over(network: nn.Module, weights: dict[str, Tensor], classes: int, what: str, name: str) -> None:
    """Copies weights into a network; only what tells classes apart may be of another size."""
    own = network.state_dict()
    missing = [key for key in own if key not in weights]
    if missing:
        raise InputError(f"{what} have no {missing[0]}: they are of another network than {name} with these options")
    for key, value in own.items():
        shape = tuple(value.shape)
        stored = tuple(weights[key].shape)
        if stored != shape and not (shape[:1] == (classes,) and stored[1:] == shape[1:]):
            raise InputError(f"{what} have {key} of {stored} and not {shape}: they are of another network than {name}")
    network.load_state_dict({key: weights[key] if weights[key].shape == own[key].shape else own[key] for key in own})


def layers_up_to(network: nn.Module, name: str) -> list[nn.Module]:
    """Returns a network's modules in the order in which they are listed, up to one of them and all that is in it.

    Args:
        network: what they are part of.
        name: dotted name of the last one; empty for none at all.

    Raises:
        InputError: the network has no module of that name.
    """
    if not name:
        return []
    names = [own for own, _ in network.named_modules()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`show` lists its layers"
        raise InputError(f"the network has no layer {name!r} to freeze up to: {hint}")
    last = max(place for place, own in enumerate(names) if own == name or own.startswith(f"{name}."))
    return list(network.modules())[: last + 1]
