from __future__ import annotations

import io
import logging
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.data.images import ImageError, as_grey_or_rgb, find_images, load_image

Find = Callable[..., Path]

NASTY = {
    "made_here/zero_bytes.jpg": "empty",
    "made_here/random_bytes.jpg": "not an image",
    "made_here/trunc_0500permille.jpg": "cut short",
    "made_here/trunc_0999permille.jpg": "cut short",
    "made_here/crc_flip.png": "damaged",
    "made_here/bomb_400Mpx_1bit.png": "megapixels",
    "made_here/float32_all_nan.tif": "finite",
    "pillow/decompression_bomb.ico": "megapixels",
    "pillow/bmp_b_reallybig.bmp": "megapixels",
    "pillow/timeout-c60a3d7314213624607bfb3e38d551a8b24a7435.dds": "megapixels",
    "pillow/hdf5.h5": "not an image",
    "pillow/apng_chunk_no_fctl.png": "damaged",
}

LOAD_ALL = """
import resource, sys
from pathlib import Path
from explorer.data.images import ImageError, load_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
readable = 0
for path in sorted(Path(sys.argv[1]).rglob("*")):
    if path.is_file():
        try:
            image = load_image(path)
            readable += image.mode in ("L", "RGB") and image.width > 0 and image.height > 0
        except ImageError as error:
            assert path.name in str(error) and len(str(error).splitlines()) == 1, error
print(readable, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def declared_png(width: int, height: int) -> bytes:
    """A PNG that says it has that size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is asked from the resource module")
def test_no_hostile_file_crashes_hangs_or_fills_the_memory(shared_data: Find) -> None:
    command = [sys.executable, "-W", "error", "-c", LOAD_ALL, str(shared_data("nasty"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    readable, megabytes = map(int, done.stdout.split())
    assert readable >= 110
    assert megabytes < 300


@pytest.mark.parametrize("name", NASTY)
def test_unreadable_file_is_named_with_its_reason(shared_data: Find, name: str) -> None:
    path = shared_data("nasty") / name
    with pytest.raises(ImageError, match=NASTY[name]) as caught:
        load_image(path)
    assert str(path) in str(caught.value)
    assert path.name not in caught.value.reason


@pytest.mark.parametrize("number", range(2, 9))
def test_every_exif_orientation_comes_out_upright(number: int) -> None:
    upright = Image.fromarray(np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3)
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in undo[number]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = number
    assert load_image(encode(stored, "PNG", exif=exif)).tobytes() == upright.tobytes()


def test_rotated_camera_files_show_the_same_scene(shared_data: Find) -> None:
    folder = shared_data("nasty", "exif_orientation")
    for kind in ("Landscape", "Portrait"):
        files = sorted(folder.glob(f"{kind}_*.jpg"))
        small = [np.asarray(load_image(path).resize((30, 30)), dtype=float) for path in files]
        assert len({load_image(path).size for path in files}) == 1
        for other in small[1:]:
            assert np.abs(other - small[0]).mean() < 12
            assert np.abs(other[::-1, ::-1] - small[0]).mean() > 24


def test_sideways_photo_is_turned_upright(shared_data: Find) -> None:
    path = shared_data("photos", "n02951585_can_opener.JPEG")
    with Image.open(path) as stored:
        assert load_image(path).size == stored.size[::-1]


def test_damaged_exif_does_not_make_the_picture_unreadable(shared_data: Find) -> None:
    assert load_image(shared_data("nasty", "pillow", "invalid-exif.jpg")).size == (200, 200)


def test_content_counts_not_the_file_name(shared_data: Find) -> None:
    for name in ("jpeg_named_png.png", "png_named_jpg.jpg", "no_extension", "two.dots.name.JpEg", ".hidden.jpg"):
        assert load_image(shared_data("nasty", "made_here", name)).mode == "RGB"


def test_first_frame_stands_for_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        red, green, blue = load_image(data).getpixel((4, 4))
        assert (red > 240, green < 10, blue < 10) == (True, True, True)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "La", "RGBa"])
def test_transparent_pixels_become_white(mode: str) -> None:
    flat = as_grey_or_rgb(Image.new(mode, (4, 4)))
    assert flat.mode in ("L", "RGB")
    assert set(flat.tobytes()) == {255}


def test_half_transparent_black_becomes_mid_grey() -> None:
    assert as_grey_or_rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 128))).getpixel((0, 0)) == (127, 127, 127)


def test_transparent_colour_of_a_palette_becomes_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    flat = load_image(encode(image, "PNG", transparency=0))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (40, 50, 60)]


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    levels = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF", "PPM"):
        assert list(load_image(encode(Image.fromarray(levels), kind)).tobytes()) == [0, 1, 128, 255]


def test_float_is_scaled_by_its_finite_range() -> None:
    values = np.array([[-1.0, 0.0, 1.0, np.nan, np.inf]], dtype=np.float32)
    assert list(load_image(encode(Image.fromarray(values), "TIFF")).tobytes()) == [0, 128, 255, 0, 255]


def test_flat_float_image_is_no_division_by_zero() -> None:
    assert set(as_grey_or_rgb(Image.new("F", (3, 3), 7.0)).tobytes()) == {0}


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "I;16B", "F", "RGBX"])
def test_every_mode_becomes_grey_or_rgb(mode: str) -> None:
    assert as_grey_or_rgb(Image.new(mode, (3, 2))).mode in ("L", "RGB")


def test_cmyk_photo_keeps_its_colours() -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK"), "JPEG")
    red, green, blue = load_image(data).getpixel((8, 8))
    assert red > 150
    assert max(green, blue) < 80


def test_declared_size_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(ImageError, match="12,500 × 12,500: more than the 150 megapixels"):
        load_image(declared_png(12_500, 12_500))
    with pytest.raises(ImageError, match="megapixels"):
        load_image(declared_png(30_000, 30_000))


def test_large_jpeg_is_shrunk_while_it_is_decoded() -> None:
    assert load_image(encode(Image.new("L", (4096, 8192)), "JPEG")).size == (2048, 4096)
    assert load_image(encode(Image.new("L", (4095, 8192)), "JPEG")).size == (4095, 8192)


def test_file_beyond_the_size_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    with pytest.raises(ImageError, match=r"sparse\.tif: 300 MB is more than the 256 MB"):
        load_image(path)


def test_postscript_is_not_handed_to_an_interpreter() -> None:
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(ImageError, match="not an image"):
        load_image(program)


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "absent.png", "there is no such file"), (tmp_path, "it is a folder")):
        with pytest.raises(ImageError) as caught:
            load_image(path)
        assert str(caught.value).startswith(f"cannot read {path}: {reason}")
        assert caught.value.reason.startswith(reason)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.timeout(20)
def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="regular file"):
        load_image(tmp_path / "pipe.png")


def test_error_stays_on_one_line_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\x1b[31m.png"
    path.write_bytes(b"")
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)


def test_nothing_is_warned_or_logged_about(shared_data: Find, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        for name in ("libtiff_segfault.tif", "crash-2020-10-test.tif", "hopper_unknown_pixel_mode.tif"):
            with pytest.raises(ImageError):
                load_image(shared_data("nasty", "pillow", name))
        load_image(shared_data("nasty", "pillow", "apng_syntax_num_frames_invalid.png"))
    assert warned == []
    assert caplog.records == []


def test_folders_are_replaced_by_the_images_in_them(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "deep/c.webp", ".cache/d.png"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lone = tmp_path / "no_ending"
    folder = tmp_path / "folder"
    assert list(find_images([lone, folder])) == [lone, folder / "a.JPG", folder / "b.png", folder / "deep" / "c.webp"]
