"""What there is to choose in a recipe, read off the `Recipe` itself: types, bounds, choices, what each setting does."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from dataclasses import fields, replace
from itertools import pairwise

from explorer.architectures.options import Option, options_of
from explorer.training.recipe import RANGES, Recipe

_CONDITION = re.compile(r"Of the (\w+) `([^`]+)`")


@functools.cache
def recipe_options() -> dict[str, Option]:
    """Returns the settings that are a number, a word, text, true or false, by name and in the recipe's order.

    `milestones` is text here, shares with commas between them; `options` and `input` are not among these settings.
    """
    texts = setting_docs()
    scalars = {option.name: option for option in options_of(Recipe)}
    milestones = Option("milestones", str, ",".join(map(str, Recipe().milestones)))
    found = {}
    for item in fields(Recipe):
        option = scalars.get(item.name, milestones if item.name == "milestones" else None)
        if option is not None:
            low, high = RANGES.get(item.name, (None, None))
            found[item.name] = replace(option, minimum=low, maximum=high, help=texts.get(item.name, ""))
    return found


def setting_docs() -> dict[str, str]:
    """Returns the text below each setting of `Recipe`, on one line; a setting without one is left out."""
    (definition,) = ast.parse(inspect.getsource(Recipe)).body
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for setting, text in pairwise(definition.body):
        if not isinstance(setting, ast.AnnAssign) or not isinstance(setting.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            docs[setting.target.id] = " ".join(str(text.value.value).split())
    return docs


def condition(option: Option) -> tuple[str, str] | None:
    """Returns the setting and the value of it that this one belongs to: `schedule`, `step`; None for most."""
    found = _CONDITION.match(option.help)
    return (found[1], found[2]) if found else None
