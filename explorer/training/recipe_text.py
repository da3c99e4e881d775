"""A recipe as text that a user edits: what it means, or which line is wrong and why."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from explorer.errors import InputError
from explorer.training.recipe import Recipe, from_mapping

_PLACE = re.compile(r" ?\(at line (\d+), column \d+\)| ?\(at end of document\)")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a text is no recipe."""

    message: str
    line: int
    """Counted from 1; 0 where no line is to blame."""


def read_text(text: str) -> Recipe | Mistake:
    """Returns the recipe that a text in TOML describes, or the first mistake in it."""
    try:
        return from_mapping(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else len(text.splitlines())
        return Mistake(_PLACE.sub("", str(error)), line)
    except InputError as error:
        return Mistake(str(error), _line_of(text, str(error)))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, a thousand nested lists
        return Mistake(" ".join(str(error).split()), 0)


def _line_of(text: str, message: str) -> int:
    """Returns the line that sets what a message names first."""
    for word in re.findall(r"\w+", message):
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(rf"\s*[\"']?{re.escape(word)}[\"']?\s*=", line):
                return number
    return 0
