from __future__ import annotations

import pytest
import torch
from torch import Tensor

from explorer.training.augmentation import augment, erase
from explorer.training.colours import principal_colours


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


def test_smaller_shift_moves_less() -> None:
    images = numbered(200, 1, 16, 16)
    moved = augment(images, "crop", chance(), shift=1 / 16)
    padded = torch.nn.functional.pad(images[0], (1, 1, 1, 1))
    places = [padded[:, top : top + 16, left : left + 16] for top in range(3) for left in range(3)]
    assert all(any(torch.equal(place, image) for place in places) for image in moved)


def test_alexnet_cuts_parts_out_of_a_larger_image() -> None:
    images = numbered(300, 3, 15, 15)
    changed = augment(images, "alexnet", chance(), (13, 13))
    parts = [image[:, y : y + 13, x : x + 13] for image in images[:1] for y in range(3) for x in range(3)]
    places = parts + [part.flip(2) for part in parts]
    seen = {next(n for n, place in enumerate(places) if torch.equal(place, image)) for image in changed}
    assert seen == set(range(18))


def test_colour_noise_is_that_of_the_training_images() -> None:
    draw = torch.Generator().manual_seed(0)
    grey = torch.randint(60, 200, (500, 1, 8, 8), generator=draw)
    images = (grey + torch.tensor([0, 10, 20]).view(1, 3, 1, 1)).to(torch.uint8)
    axes = principal_colours(images, 3)
    # Channels that differ by a constant have one direction of colour: grey, as long as √3 standard deviations.
    assert axes[:, :2].abs().max() < 1e-3
    assert axes[:, 2].abs().tolist() == pytest.approx([float(grey.double().std() / 255)] * 3, rel=1e-3)
    shift = augment(images, "alexnet", chance(), None, axes).double().mean((2, 3)) - images.double().mean((2, 3))
    assert (shift[:, 0] - shift[:, 1]).abs().max() < 1
    assert float(shift[:, 0].std()) == pytest.approx(0.1 * float(grey.double().std()), rel=0.15)


def test_colours_of_grey_images_are_their_deviation() -> None:
    images = numbered(4, 1, 8, 8)
    assert abs(float(principal_colours(images, 1))) == pytest.approx(float(images.double().std(correction=0)) / 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_trivial_changes_each_image_by_itself(channels: int) -> None:
    images = numbered(60, channels, 16, 16)
    before = torch.get_rng_state()
    first, again, other = (augment(images, "trivial", chance(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == (images.shape, torch.uint8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({image.numpy().tobytes() for image in first}) > 30
    assert torch.equal(torch.get_rng_state(), before)


def test_erasing_blanks_a_rectangle_of_some_images() -> None:
    images = torch.ones(400, 3, 32, 32)
    erased = erase(images, 0.5, chance())
    blank = (erased == 0).all(1)
    share = blank.double().mean((1, 2))
    assert 150 < int((share > 0).sum()) < 250
    assert torch.equal(blank, (erased == 0).any(1))
    assert float(share[share > 0].min()) > 0.01
    assert float(share.max()) < 0.36
    for mask in blank[share > 0][:20]:
        rows, columns = mask.nonzero(as_tuple=True)
        assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert erase(images, 0.0, chance()) is images
    assert bool((erase(images, 1.0, chance()) == 0).flatten(1).any(1).all())
