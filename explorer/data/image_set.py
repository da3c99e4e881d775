"""Images with their classes: decoded in memory, or as files on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from explorer.data.catalogue import DatasetInfo
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images in memory, each with the index of its class."""

    images: Tensor
    """uint8 (N, C, H, W), contiguous."""
    labels: Tensor
    """int64 (N,)."""

    def select(self, chosen: Tensor) -> Self:
        """Returns some of the images, by a boolean mask or by their indices."""
        return type(self)(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class FileSet:
    """Image files of any size, each with the index of its class: too many to hold them decoded."""

    files: tuple[str, ...]
    """Full paths."""
    labels: Tensor
    """int64 (N,), on the CPU."""

    def select(self, chosen: Tensor) -> Self:
        """Returns some of the files, by a boolean mask or by their indices."""
        import torch

        places = torch.arange(len(self.files))[chosen.cpu()].tolist()
        return type(self)(tuple(self.files[place] for place in places), self.labels[chosen.cpu()])


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that something is wrong with."""

    path: str
    reason: str
    """Why, on one line, without the path."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset as training takes it."""

    info: DatasetInfo
    train: ImageSet | FileSet
    test: ImageSet | FileSet | None
    """The official test set; None where there is none."""
    validation: ImageSet | FileSet | None = None
    """The official validation set; None where some training images are to be held out."""
    broken: tuple[BrokenFile, ...] = ()
    """Files that are in none of the sets because they cannot be read."""
    doubtful: tuple[BrokenFile, ...] = ()
    """Files that are in a set and may not belong there."""


class _Labelled(Protocol):
    """What both kinds of sets are."""

    @property
    def labels(self) -> Tensor: ...

    def select(self, chosen: Tensor) -> Self: ...


Images = TypeVar("Images", bound=_Labelled)


def split(images: Images, fraction: float, seed: int) -> tuple[Images, Images]:
    """Divides a set in two with the classes in the same proportions in both.

    Args:
        images: what to divide; it stays as it is.
        fraction: part to hold out, above 0 and below 1.
        seed: the same seed gives the same division.

    Returns:
        (training, held out); the latter has round(fraction × N) images, shared out among the classes by largest
        remainder. Both keep the order of `images`.

    Raises:
        InputError: one of the two would be empty.
    """
    import torch

    count = len(images.labels)
    held_out_count = round(fraction * count) if 0 < fraction < 1 else 0
    if not 0 < held_out_count < count:
        raise InputError(
            f"{fraction:g} of {count:,} images cannot be held out: choose a fraction between 0 and 1 that leaves "
            "images on both sides"
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    labels = images.labels.cpu()[order]
    sizes = torch.bincount(labels)
    quotas = fraction * sizes.double()
    shares = quotas.floor().long()
    remainders = torch.argsort(quotas - shares, descending=True, stable=True)
    shares[remainders[: held_out_count - int(shares.sum())]] += 1
    held_out = torch.zeros(count, dtype=torch.bool)
    for label, share in enumerate(shares.tolist()):
        held_out[order[labels == label][:share]] = True
    held_out = held_out.to(images.labels.device)
    return images.select(~held_out), images.select(held_out)
