from __future__ import annotations

import os
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from explorer.architectures.cards import catalogue
from explorer.architectures.registry import options
from explorer.data.datasets import DATASETS
from explorer.errors import InputError
from explorer.training.recipe import Recipe, change, default_recipe, from_mapping, load_recipe

UNUSUAL = Recipe(
    architecture="my nets/ﬁle.py:Net",
    dataset="cifar10",
    data_dir='/data/ä "b" \\ c\n',
    options={"dropout": 0.25, "aux": True, "width": 3, "activation": "relu"},
    input=(3, 48, 64),
    validation=0.125,
    epochs=7,
    patience=3,
    batch_size=33,
    accumulate=4,
    optimiser="adamw",
    learning_rate=1e-9,
    momentum=0.0,
    epsilon=0.1,
    weight_decay=0.3,
    clip_norm=1.5,
    average=0.999,
    schedule="one-cycle",
    warm_up=0.5,
    milestones=(0.25, 0.5, 0.875),
    factor=0.2,
    decay=1e-6,
    label_smoothing=0.1,
    mixup=0.2,
    cutmix=1.0,
    augmentation="flip and crop",
    shift=0.25,
    erasing=0.25,
    evaluation="ten-crop",
    auxiliary="in turn",
    weights="pretrained",
    first_weights="glorot",
    freeze="features.c1",
    unfreeze=3,
    refreeze="features",
    unfreeze_rate=1e-4,
    unfreeze_optimiser="adamw",
    channels_last=True,
    compiled=True,
    precision="bf16",
    seed=2**31 - 1,
    threads=5,
)


def test_every_setting_survives_the_file(tmp_path: Path) -> None:
    plain = Recipe()
    assert [field.name for field in fields(Recipe) if getattr(UNUSUAL, field.name) == getattr(plain, field.name)] == []
    for recipe in (plain, UNUSUAL):
        (tmp_path / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
        assert load_recipe(tmp_path / "recipe.toml") == recipe


def test_recipe_survives_its_own_mapping() -> None:
    assert from_mapping(asdict(UNUSUAL)) == UNUSUAL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("validation", 0),
        ("validation", 0.91),
        ("validation", "nan"),
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("epochs", 10**400),
        ("batch_size", 0),
        ("batch_size", "many"),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("learning_rate", [0.1]),
        ("momentum", 1),
        ("weight_decay", -1e-4),
        ("label_smoothing", 1),
        ("average", 1),
        ("accumulate", 0),
        ("erasing", 1.1),
        ("compiled", "perhaps"),
        ("milestones", 0.5),
        ("milestones", (0.75, 0.5)),
        ("milestones", "0.5,1"),
        ("milestones", "half"),
        ("evaluation", "five-crop"),
        ("unfreeze", 3),
        ("unfreeze_optimiser", "lion"),
        ("seed", -1),
        ("seed", 2**31),
        ("threads", -1),
        ("optimiser", "lion"),
        ("schedule", "linear"),
        ("augmentation", "mixup"),
        ("auxiliary", "alternating"),
        ("precision", 16),
        ("precision", "16"),
        ("architecture", 5),
        ("architecture", None),
        ("dataset", ["digits"]),
        ("data_dir", "a\0b"),
        ("input", (3, 32)),
        ("input", (2, 32, 32)),
        ("input", (1, 0, 32)),
        ("input", (1, 32.5, 32)),
        ("input", "1,32,x"),
        ("input", 32),
        ("options", "dropout"),
    ],
)
def test_bad_value_is_refused_by_the_name_of_its_setting(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"\b{name} must be") as caught:
        from_mapping({name: value})
    assert "\n" not in str(caught.value)


def test_option_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(InputError, match="options: width must be"):
        from_mapping({"options": {"width": [1, 2]}})


def test_unknown_setting_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"has no setting 'learning_rte': did you mean learning_rate\?"):
        from_mapping({"learning_rte": 0.1})


def test_text_from_a_command_line_becomes_numbers() -> None:
    recipe = from_mapping({"epochs": "3", "learning_rate": "1e-2", "input": "3, 32,48"})
    assert (recipe.epochs, recipe.learning_rate, recipe.input) == (3, 0.01, (3, 32, 48))
    recipe = from_mapping({"compiled": "true", "channels_last": "no", "milestones": "0.25, 0.5"})
    assert (recipe.compiled, recipe.channels_last, recipe.milestones) == (True, False, (0.25, 0.5))
    assert from_mapping({"milestones": ""}).milestones == ()


def test_changes_go_to_the_recipe_or_to_the_options_of_the_network() -> None:
    before = Recipe(options={"pooling": "max", "activation": "tanh"})
    after = change(before, {"epochs": "2", "activation": "relu", "input": "1,28,28"})
    assert (after.epochs, after.input) == (2, (1, 28, 28))
    assert after.options == {"pooling": "max", "activation": "relu"}
    assert before.options == {"pooling": "max", "activation": "tanh"}
    assert change(after, {}) == after


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x7fELF\xff\xfe\x00", "not a TOML file"),
        (b"epochs = = 2", "not a TOML file"),
        (b"epochs = " + b"9" * 5000, "not a TOML file"),
        (b"epochs = 0x" + b"f" * 5000, "not a TOML file"),
        (b"input = " + b"[" * 10_000, "not a TOML file"),
        (b"#" * 1_000_001, "too large"),
        (b"epochs = [1]", "epochs must be a whole number"),
        (b"[epochs]\nmany = 1", "epochs must be a whole number"),
        (b"options = 1979-05-27", "options must be a table"),
        (b"[options]\nsince = 1979-05-27", "options: since must be"),
        (b"epoch = 3", r"has no setting 'epoch': did you mean epochs\?"),
    ],
    ids=lambda value: value[:14].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        load_recipe(path)


def test_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # would be waited for without end
    for path in (tmp_path, tmp_path / "absent.toml", tmp_path / "pipe"):
        with pytest.raises(InputError, match="is not a file"):
            load_recipe(path)


@pytest.mark.parametrize("dataset", DATASETS)
def test_default_recipe_is_a_valid_one_for_each_dataset(dataset: str) -> None:
    recipe = default_recipe("lenet5", dataset)
    assert (recipe.architecture, recipe.dataset) == ("lenet5", dataset)
    assert from_mapping(asdict(recipe)) == recipe


def test_no_setting_hides_an_option_of_a_network() -> None:
    settings = {field.name for field in fields(Recipe)}
    for network in catalogue():
        assert not settings & {option.name for option in options(network)}, network.name
