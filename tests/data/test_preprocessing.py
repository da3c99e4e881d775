"""One image, and a whole set of them, enter a network the same way, and the way that torchvision prescribes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data.preprocessing import Preprocessing, fit_to_input, image_to_tensor, normalise
from explorer.errors import InputError

# Bicubic overshoots at hard edges. Pillow clips that between its two passes, whose order it chooses by the sizes, and
# torch does not: single pixels beside an edge may differ by this much. An image one pixel off differs by 50 and more.
EDGE = 20

RGB_STATISTICS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
IMAGENET = Preprocessing((3, 224, 224), resize=256, interpolation="bicubic", **RGB_STATISTICS)


def grey(height: int, width: int, resize: int, interpolation: str = "bilinear") -> Preprocessing:
    return Preprocessing((1, height, width), (0.5,), (0.5,), resize, interpolation)


def rgb(height: int, width: int, resize: int, interpolation: str = "bilinear") -> Preprocessing:
    return Preprocessing((3, height, width), resize=resize, interpolation=interpolation, **RGB_STATISTICS)


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Returns an image with edges, gradients and fine texture."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rng = np.random.default_rng(0)
    pixels = np.stack(
        [
            127 + 100 * np.sin(x / 9) * np.cos(y / 13),
            255 * ((x // 17 + y // 23) % 2),
            255 * x / max(width - 1, 1) + rng.normal(0, 20, (height, width)),
        ],
        axis=-1,
    )
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def torchvisions(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
    """Returns what torchvision's published evaluation presets make of an image."""
    from torchvision import transforms

    method = transforms.InterpolationMode(preprocessing.interpolation)
    steps = [
        transforms.Resize(preprocessing.resize, method, antialias=True),
        transforms.CenterCrop(preprocessing.input[1:]),
        transforms.PILToTensor(),
    ]
    return transforms.Compose(steps)(image)


def difference(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == torch.uint8
    return (one.int() - other.int()).abs().float()


class TestAgreementWithTorchvision:
    @pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
    @pytest.mark.parametrize(
        "size",
        # Among them sizes whose scaled side or whose margin is no whole or no even number.
        [(500, 375), (375, 500), (500, 373), (576, 385), (367, 500), (333, 500), (256, 257), (1024, 1024), (90, 61)],
    )
    def test_made_images(self, size: tuple[int, int], interpolation: str) -> None:
        preprocessing = rgb(224, 224, 256, interpolation)
        image = scene(*size)
        off = difference(image_to_tensor(image, preprocessing), torchvisions(image, preprocessing))
        assert off.mean() < 0.5
        assert off.max() <= EDGE

    def test_photographs(self, shared_data) -> None:
        photos = sorted(shared_data("photos").glob("*.JPEG"))[::3]
        assert len(photos) >= 10
        for photo in photos:
            with Image.open(photo) as image:
                image = image.convert("RGB")
            off = difference(image_to_tensor(image, IMAGENET), torchvisions(image, IMAGENET))
            assert off.mean() < 0.5, photo.name
            assert off.max() <= EDGE, photo.name

    def test_an_image_of_the_right_size_is_not_touched(self) -> None:
        image = scene(224, 224)
        assert torch.equal(image_to_tensor(image, rgb(224, 224, 224)), torchvisions(image, rgb(224, 224, 224)))

    def test_a_crop_of_another_aspect(self) -> None:
        image = scene(400, 200)
        off = difference(image_to_tensor(image, rgb(64, 96, 80)), torchvisions(image, rgb(64, 96, 80)))
        assert off.mean() < 0.5


class TestOneImage:
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    @pytest.mark.parametrize("preprocessing", [grey(32, 32, 32), rgb(32, 32, 36)], ids=["grey", "rgb"])
    def test_it_gets_the_networks_channels(self, mode: str, preprocessing: Preprocessing) -> None:
        tensor = image_to_tensor(scene(50, 40, mode), preprocessing)
        assert tuple(tensor.shape) == preprocessing.input
        assert tensor.dtype == torch.uint8
        assert tensor.is_contiguous()

    def test_a_grey_image_has_the_same_values_in_every_channel(self) -> None:
        red, green, blue = image_to_tensor(scene(50, 40, "L"), rgb(32, 32, 32))
        assert torch.equal(red, green)
        assert torch.equal(red, blue)

    def test_grey_is_luma(self) -> None:
        image = Image.new("RGB", (8, 8), (200, 100, 50))
        assert image_to_tensor(image, grey(8, 8, 8)).unique().tolist() == [
            round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
        ]

    def test_the_centre_is_kept(self) -> None:
        image = Image.new("L", (300, 100), 0)
        image.paste(255, (100, 0, 200, 100))
        assert (image_to_tensor(image, grey(100, 100, 100)) == 255).all()

    def test_height_and_width_are_not_exchanged(self) -> None:
        image = Image.new("L", (90, 60), 0)
        image.paste(255, (0, 0, 45, 60))  # left half white
        tensor = image_to_tensor(image, grey(40, 60, 40))
        assert tensor.shape == (1, 40, 60)
        assert (tensor[..., :28] == 255).all()
        assert (tensor[..., 32:] == 0).all()

    @pytest.mark.parametrize(
        "size", [(1, 1), (1, 2), (60_000, 2), (2, 60_000), (1, 30_000), (30_000, 1), (20_000, 300), (3, 1_000)]
    )
    @pytest.mark.parametrize("preprocessing", [IMAGENET, rgb(64, 96, 64), grey(28, 28, 28)], ids=["224", "96", "28"])
    def test_an_extreme_aspect_ratio_costs_no_memory(self, size: tuple[int, int], preprocessing: Preprocessing) -> None:
        image = Image.new("RGB", size, (10, 200, 90))
        tracemalloc.start()
        tensor = image_to_tensor(image, preprocessing)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert tuple(tensor.shape) == preprocessing.input
        assert tensor.flatten(1).unique(dim=1).shape[1] == 1  # one colour in, one colour out
        assert peak < 8 << 20

    def test_a_strip_keeps_the_middle_of_its_length(self) -> None:
        image = Image.new("L", (60_000, 2), 0)
        image.paste(255, (29_000, 0, 31_000, 2))
        assert (image_to_tensor(image, grey(224, 224, 256)) == 255).all()

    def test_the_image_itself_stays_as_it_is(self) -> None:
        image = scene(50, 40)
        before = image.tobytes()
        image_to_tensor(image, rgb(32, 32, 32)).zero_()
        assert image.tobytes() == before


class TestSetOfImages:
    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize(("side", "crop", "resize"), [(8, 32, 32), (28, 32, 32), (32, 224, 256), (96, 32, 36)])
    def test_it_agrees_with_one_image_at_a_time(self, side: int, crop: int, resize: int, interpolation: str) -> None:
        image = scene(side, side)
        images = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
        preprocessing = rgb(crop, crop, resize, interpolation)
        off = difference(fit_to_input(images, preprocessing)[0], image_to_tensor(image, preprocessing))
        assert off.mean() < 0.5
        assert off.max() <= (EDGE if interpolation == "bicubic" else 3)

    @pytest.mark.parametrize("size", [(50, 40), (41, 53), (40, 30)])
    def test_it_agrees_for_images_and_crops_that_are_not_square(self, size: tuple[int, int]) -> None:
        image = scene(*size)
        images = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
        off = difference(fit_to_input(images, rgb(28, 44, 32))[0], image_to_tensor(image, rgb(28, 44, 32)))
        assert off.mean() < 0.5

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    @pytest.mark.parametrize("preprocessing", [grey(32, 32, 32), rgb(32, 32, 32)], ids=["grey", "rgb"])
    @pytest.mark.parametrize("side", [20, 32])
    def test_it_agrees_on_channels(self, mode: str, preprocessing: Preprocessing, side: int) -> None:
        image = scene(side, side, mode)
        pixels = torch.from_numpy(np.array(image))
        images = (pixels.unsqueeze(0) if mode == "L" else pixels.permute(2, 0, 1)).unsqueeze(0)
        fitted = fit_to_input(images, preprocessing)
        assert tuple(fitted.shape) == (1, *preprocessing.input)
        assert difference(fitted[0], image_to_tensor(image, preprocessing)).max() <= 2

    def test_the_real_digits_agree(self) -> None:
        from sklearn.datasets import load_digits

        digits = np.round(load_digits().images[:50] * 255 / 16).astype(np.uint8)
        preprocessing = grey(32, 32, 32)
        fitted = fit_to_input(torch.from_numpy(digits).unsqueeze(1), preprocessing)
        for pixels, tensor in zip(digits, fitted, strict=True):
            assert difference(tensor, image_to_tensor(Image.fromarray(pixels), preprocessing)).max() <= 1

    def test_a_set_larger_than_a_chunk_comes_out_in_order(self) -> None:
        images = (torch.arange(2_500) % 251).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
        fitted = fit_to_input(images, rgb(10, 10, 10))
        assert fitted.shape == (2_500, 3, 10, 10)
        assert fitted.is_contiguous()
        assert torch.equal(fitted, images[:, :, :1, :1].expand(-1, 3, 10, 10))

    def test_images_that_fit_already_are_not_copied(self) -> None:
        images = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
        assert fit_to_input(images, grey(28, 28, 28)).data_ptr() == images.data_ptr()

    def test_values_never_wrap_around(self) -> None:
        images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
        images[..., 4:] = 255  # bicubic overshoots on both sides of the edge
        fitted = fit_to_input(images, grey(32, 32, 32, "bicubic"))[0, 0, 16].int()
        assert (fitted[:10] < 40).all()
        assert (fitted[-10:] > 215).all()


class TestNormalise:
    def test_values_are_scaled_shifted_and_divided_by_channel(self) -> None:
        images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
        values = normalise(images, rgb(1, 1, 1)).flatten()
        assert values.dtype == torch.float32
        assert values.tolist() == pytest.approx([-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225])

    def test_it_agrees_with_torchvision(self) -> None:
        from torchvision.transforms import functional

        image = scene(224, 224)
        theirs = functional.normalize(functional.to_tensor(image), **RGB_STATISTICS)
        ours = normalise(image_to_tensor(image, rgb(224, 224, 224)).unsqueeze(0), IMAGENET)[0]
        assert torch.allclose(ours, theirs, atol=1e-6)

    def test_the_images_stay_as_they_are(self) -> None:
        images = torch.full((2, 1, 4, 4), 7, dtype=torch.uint8)
        normalise(images, grey(4, 4, 4))
        assert (images == 7).all()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"input": (2, 32, 32)}, "1 or 3 channels, not 2"),
        ({"mean": (0.5,)}, "mean and std need 3 values"),
        ({"std": (0.5, 0.5)}, "mean and std need 3 values"),
        ({"std": (0.5, 0.0, 0.5)}, "std must be positive, not 0.0"),
        ({"resize": 31}, "resize must be at least 32"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], problem: str) -> None:
    fields = {"input": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3, "resize": 32}
    with pytest.raises(InputError, match=problem):
        Preprocessing(**(fields | changes))
