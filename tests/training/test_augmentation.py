from __future__ import annotations

import pytest
import torch
from torch import Tensor

from explorer.training.augmentation import augment


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int, channels: int, height: int, width: int) -> Tensor:
    """Images of which every pixel of a channel has a value of its own, from 1."""
    pixels = torch.arange(1, height * width + 1).to(torch.uint8).view(1, 1, height, width)
    return pixels.repeat(count, channels, 1, 1)


def crops(image: Tensor) -> list[Tensor]:
    """All places at which an image (C, H, W) can be cut out of its padded self."""
    _, height, width = image.shape
    down, across = max(height // 8, 1), max(width // 8, 1)
    padded = torch.nn.functional.pad(image, (across, across, down, down))
    return [
        padded[:, top : top + height, left : left + width]
        for top in range(2 * down + 1)
        for left in range(2 * across + 1)
    ]


def test_no_augmentation_changes_nothing() -> None:
    images = numbered(3, 1, 8, 8)
    assert torch.equal(augment(images, "none", chance()), images)


@pytest.mark.parametrize("kind", ["crop", "flip and crop"])
@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 16, 12), (1, 3, 5, 7), (2, 1, 1, 1)])
def test_shape_and_type_stay(kind: str, shape: tuple[int, int, int, int]) -> None:
    images = numbered(*shape)
    before = images.clone()
    changed = augment(images, kind, chance())
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, before)


def test_crops_are_pieces_of_the_padded_image_and_come_from_everywhere() -> None:
    images = numbered(400, 3, 16, 8)
    places = crops(images[0])
    seen = {next(n for n, place in enumerate(places) if torch.equal(place, image)) for image in augment_all(images)}
    assert seen == set(range(len(places)))


def augment_all(images: Tensor) -> Tensor:
    return augment(images, "crop", chance())


def test_about_half_of_the_images_are_mirrored() -> None:
    images = numbered(400, 3, 8, 8)
    straight, mirrored = crops(images[0]), crops(images[0].flip(2))
    changed = augment(images, "flip and crop", chance())
    flips = [any(torch.equal(place, image) for place in mirrored) for image in changed]
    whole = [any(torch.equal(place, image) for place in straight) for image in changed]
    assert all(one != other for one, other in zip(flips, whole, strict=True))
    assert 150 < sum(flips) < 250


def test_channels_of_an_image_move_together() -> None:
    for image in augment(numbered(50, 3, 8, 8), "flip and crop", chance()):
        assert torch.equal(image[0], image[1])
        assert torch.equal(image[0], image[2])


def test_same_chance_gives_the_same_images() -> None:
    images = numbered(20, 1, 8, 8)
    first, again, other = (augment(images, "flip and crop", chance(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_chance_comes_from_the_generator_alone() -> None:
    before = torch.get_rng_state()
    augment(numbered(5, 1, 8, 8), "flip and crop", chance())
    assert torch.equal(torch.get_rng_state(), before)
