"""What a form learns of a recipe from the recipe itself, and where a text goes wrong."""

from __future__ import annotations

from dataclasses import fields

import pytest

from explorer.training.recipe import Recipe
from explorer.training.recipe_options import condition, recipe_options, setting_docs
from explorer.training.recipe_text import Mistake, read_text


def test_every_setting_but_two_has_an_option_with_its_default() -> None:
    options = recipe_options()
    assert {field.name for field in fields(Recipe)} - options.keys() == {"options", "input"}
    for name, option in options.items():
        if name != "milestones":
            assert option.default == getattr(Recipe(), name), name
            assert option.parse(option.default) == option.default


def test_bounds_choices_and_texts_are_those_of_the_recipe() -> None:
    options = recipe_options()
    assert (options["epochs"].minimum, options["epochs"].maximum) == (1, 100_000)
    assert options["precision"].choices == ("auto", "32", "bf16", "fp16")
    assert options["batch_size"].help == "Images a step."
    assert "  " not in " ".join(setting_docs().values())


def test_settings_of_one_schedule_say_so() -> None:
    belongs = {name: condition(option) for name, option in recipe_options().items()}
    assert belongs["milestones"] == belongs["factor"] == ("schedule", "step")
    assert belongs["decay"] == ("schedule", "inverse time")
    assert belongs["epochs"] is None
    for name, value in filter(None, belongs.values()):
        assert value in recipe_options()[name].choices


def test_text_of_a_recipe_is_read_back() -> None:
    recipe = Recipe("resnet20_cifar", "cifar10", input=(3, 32, 32), options={"a": 1}, milestones=(0.3, 0.6))
    assert read_text(recipe.to_toml()) == recipe


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('dataset = "digits"\nepochs = = 3\n', 2, "Invalid value"),
        ('dataset = "digits"\nepochs = 0\n', 2, "epochs must be from 1 to 100000, not 0"),
        ("epochs = 3\n\nlerning_rate = 0.1\n", 3, "did you mean learning_rate?"),
        ("epochs = 3\nmilestones = [0.5, 0.2]\n", 2, "milestones must be"),
        ('dataset = "digits\n', 1, "Illegal character"),
        ("epochs = 3\nunfreeze = 2\n", 2, "unfreeze"),
        ("[options]\nx = [1]\n", 2, "options: x must be"),
        ("epochs = " + "9" * 5000, 0, "4300"),
    ],
)
def test_mistake_is_told_with_its_line(text: str, line: int, message: str) -> None:
    mistake = read_text(text)
    assert isinstance(mistake, Mistake)
    assert mistake.line == line
    assert message in mistake.message
