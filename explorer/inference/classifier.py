"""Trained classifiers: what they see in an image, best guess first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.images import as_grey_or_rgb, load_image
from explorer.data.preprocessing import image_to_tensor, normalise
from explorer.errors import InputError
from explorer.tasks.pretrained import PRETRAINED, load_pretrained
from explorer.tasks.trained_network import assemble
from explorer.tasks.weights_file import ModelSpec, load_weights

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

WEIGHTS = "best.safetensors"
"""The file of a run folder that holds the weights to use."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and how much of the network's belief it gets."""

    index: int
    label: str
    probability: float
    """Softmax over all classes, 0–1."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What became of one file."""

    path: str
    predictions: tuple[Prediction, ...]
    """Most probable first; empty when the file cannot be read."""
    error: str | None


class Classifier:
    """A network with trained weights, ready to look at images."""

    def __init__(self, name: str, title: str, spec: ModelSpec, network: nn.Module, device: str) -> None:
        self.name = name
        """What `load_classifier` was given."""
        self.title = title
        """For people: `EfficientNet-Lite0 · ImageNet`."""
        self.spec = spec
        self.network = network
        """In evaluation mode, on its device."""
        self._device = device

    def classify(self, image: Image.Image, top: int = 5) -> tuple[Prediction, ...]:
        """Returns the `top` most probable classes, most probable first.

        Raises:
            InputError: the network's output is not one finite number a class.
        """
        import torch

        pixels = image_to_tensor(as_grey_or_rgb(image), self.spec.preprocessing)  # (C, H, W)
        batch = normalise(pixels.unsqueeze(0).to(self._device), self.spec.preprocessing)  # (1, C, H, W)
        classes = self.spec.classes
        with torch.inference_mode():
            scores = self.network(batch)
            if not isinstance(scores, torch.Tensor) or scores.shape != (1, len(classes)):
                shape = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
                raise InputError(f"{self.name} gives {shape} instead of {len(classes)} scores: choose a classifier")
            probabilities = scores[0].float().softmax(0)
            if not probabilities.isfinite().all():
                raise InputError(f"{self.name} gives scores that are no numbers: its training has diverged, train anew")
            best = probabilities.topk(min(top, len(classes)))
        return tuple(
            Prediction(index, classes[index], probability)
            for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )

    def classify_file(self, path: Path, top: int = 5) -> ImageResult:
        """Reads and classifies one file; what is wrong with it becomes the result's error."""
        try:
            return ImageResult(str(path), self.classify(load_image(path), top), None)
        except InputError as error:
            return ImageResult(str(path), (), str(error))


def load_classifier(model: str = "efficientnet_lite0", device: str = "cpu") -> Classifier:
    """Returns a classifier with trained weights.

    Args:
        model: the registry name of a network with installed weights, a run folder or a file of weights.
        device: where the network works, as torch names it.

    Raises:
        InputError: there are no weights, or they are not what they should be.
    """
    from explorer.architectures.registry import entry

    path = Path(model)
    if model in PRETRAINED:
        spec, weights = load_pretrained(model)
        title = f"{entry(model).title} · ImageNet"
    elif path.exists():
        if path.is_dir() and not (path / WEIGHTS).exists():
            raise InputError(f"{path} holds no {WEIGHTS}: choose the folder of a run that has finished an epoch")
        spec, weights = load_weights(path / WEIGHTS if path.is_dir() else path)
        title = f"{entry(spec.architecture).title} · {path.name or path.resolve().name}"
    elif path.name != model and ".py" not in path.suffix:
        raise InputError(f"there is nothing at {model}: give a run folder, weights or {', '.join(PRETRAINED)}")
    else:
        known = entry(model)
        ways = f"use {', '.join(PRETRAINED)}, or the folder of a run that trained it"
        raise InputError(f"no trained weights of {known.name} are at hand: {ways}")
    return Classifier(model, title, spec, assemble(spec, weights, model).to(device), device)
