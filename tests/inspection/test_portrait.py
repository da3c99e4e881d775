"""A network of the registry at one size and one choice of options."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from explorer.errors import InputError
from explorer.inspection.anatomy import shape_text
from explorer.inspection.portrait import portray


def test_a_portrait_is_of_the_canonical_input_and_options_unless_told_otherwise() -> None:
    portrait = portray("lenet5")
    assert portrait.input == portrait.entry.input == (1, 32, 32)
    assert portrait.chosen == ()
    assert portrait.canonical
    assert portrait.entry.published[0] in portrait.published


def test_options_given_as_text_are_taken_as_their_type() -> None:
    portrait = portray("lenet5", given={"num_classes": "7", "pooling": "max"})
    assert portrait.chosen == (("num_classes", 7), ("pooling", "max"))
    assert portrait.anatomy.outputs == ((1, 7),)
    assert "MaxPool2d" in {layer.type for layer in portrait.anatomy.layers}


def test_published_numbers_hold_for_the_canonical_input_and_options_alone() -> None:
    assert portray("lenet5", (1, 29, 29)).published == ()
    assert portray("lenet5", given={"num_classes": 26}).published == ()
    assert portray("lenet5", (1, 32, 32), {"num_classes": "10"}).published == portray("lenet5").published


def test_a_dense_layer_takes_the_size_that_the_input_gives() -> None:
    assert portray("lenet5", (1, 28, 28)).anatomy.params == 44_426
    anatomy = portray("alexnet", (1, 96, 96)).anatomy
    assert anatomy.failure is None
    assert next(layer for layer in anatomy.layers if layer.name == "classifier.fc6").input_shapes == ((1, 256),)


def test_auxiliary_heads_fit_the_input() -> None:
    portrait = portray("googlenet", (3, 320, 225), {"aux": True})
    assert portrait.anatomy.failure is None
    heads = [layer for layer in portrait.anatomy.layers if not layer.executed and layer.name.endswith("fc1")]
    assert [(layer.name, layer.params) for layer in heads] == [
        ("aux1.fc1", (128 * 6 * 4 + 1) * 1024),
        ("aux2.fc1", (128 * 6 * 4 + 1) * 1024),
    ]


def test_what_fits_has_no_failure_text() -> None:
    assert portray("lenet5").failure_text == ""


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("lenet6", {}, "lenet5"),
        ("lenet5", {"classes": 3}, "num_classes"),
        ("lenet5", {"num_classes": 0}, "from 1 to 100000"),
        ("mobilenet_v2", {"width": "wide"}, "width must be a number from 0.1 to 4"),
    ],
)
def test_what_cannot_be_built_is_told_with_the_way_out(name: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        portray(name, given=given)


def test_a_portrait_is_frozen_and_crosses_processes() -> None:
    portrait = portray("lenet5")
    with pytest.raises(FrozenInstanceError):
        portrait.anatomy.layers[0].params = 0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(portrait)) == portrait  # noqa: S301 (our own)


@pytest.mark.parametrize(
    ("shape", "text"), [((1, 3, 224, 224), "3×224×224"), ((1, 1000), "1000"), ((7,), "7"), ((), "scalar")]
)
def test_shapes_are_written_without_the_batch(shape: tuple[int, ...], text: str) -> None:
    assert shape_text(shape) == text


@pytest.mark.parametrize(
    ("name", "too_small", "side"),
    [
        ("alexnet", (3, 20, 20), 67),
        ("inception_v3", (3, 40, 60), 75),
        ("vgg16", (3, 8, 300), 32),
        ("lenet5", (1, 5, 5), 16),
    ],
)
def test_an_input_that_is_too_small_is_told_how_large_it_must_be(
    name: str, too_small: tuple[int, int, int], side: int
) -> None:
    shown = portray(name, too_small)
    assert shown.smallest == side
    assert shown.failure_text.endswith(f"; height and width must be at least {side}")
    channels = too_small[0]
    assert portray(name, (channels, side, side)).failure_text == ""
    assert portray(name, (channels, side - 1, side - 1)).failure_text != ""


def test_wrong_channels_are_not_taken_for_a_size_that_is_too_small() -> None:
    shown = portray("resnet18", (1, 100, 100))
    assert shown.smallest == 0
    assert "must be at least" not in shown.failure_text
