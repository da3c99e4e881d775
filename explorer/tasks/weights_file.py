"""Trained weights that say themselves which network they belong to and how an image enters it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is needed, beside the weights, to rebuild and to use a trained classifier."""

    architecture: str
    """Registry name, `lenet5` or `timm:resnet50`."""
    options: dict[str, Any]
    """Builder options as given, plain scalars."""
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    """Class names in index order."""


def save_weights(path: Path, weights: dict[str, Tensor], spec: ModelSpec) -> None:
    """Writes a safetensors file with `spec` in its metadata. Not atomic: the caller renames."""
    from safetensors.torch import save_file

    metadata = {"format": "pt", "explorer": json.dumps(asdict(spec))}
    # Copies: weights that two layers share would be refused.
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in weights.items()}
    save_file(copies, path, metadata)


def load_weights(path: Path) -> tuple[ModelSpec, dict[str, Tensor]]:
    """Reads a file that `save_weights` wrote; nothing in it is executed.

    Raises:
        InputError: the file is missing, is no safetensors file or was not written by this program.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["explorer"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        fields = metadata["preprocessing"]
        if fields["interpolation"] not in ("bilinear", "bicubic"):
            raise ValueError(f"interpolation {fields['interpolation']!r}")
        channels, height, width = map(int, fields["input"])
        preprocessing = Preprocessing(
            input=(channels, height, width),
            mean=tuple(map(float, fields["mean"])),
            std=tuple(map(float, fields["std"])),
            resize=int(fields["resize"]),
            interpolation=fields["interpolation"],
        )
        classes = tuple(map(str, metadata["classes"]))
        spec = ModelSpec(str(metadata["architecture"]), dict(metadata["options"]), preprocessing, classes)
    except FileNotFoundError:
        raise InputError(f"there are no trained weights at {path}") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error})") from None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} was not written by Architecture Explorer (no usable description: {error})") from None
    return spec, weights
