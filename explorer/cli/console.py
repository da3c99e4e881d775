"""What all commands share: writing lines, and reading the arguments that several of them take."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from explorer.errors import InputError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    """Where each command adds its own parser."""


def say(text: str) -> None:
    """Writes a line to stderr."""
    print(text, file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """Writes text to stdout, with a line break at its end."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def add_settings(
    command: argparse.ArgumentParser, text: str, option: str = "--set", destination: str = "settings"
) -> None:
    """Adds `--set`, or what takes its place, which `read_settings` reads."""
    command.add_argument(option, metavar="KEY=VALUE", action="append", default=[], dest=destination, help=text)


def read_settings(pairs: Iterable[str], option: str = "--set") -> dict[str, str]:
    """Returns the values given with `--set`, or what takes its place, by name.

    Raises:
        InputError: a setting without `=`.
    """
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"{option} takes KEY=VALUE, not {pair!r}")
        settings[key.strip()] = value.strip()
    return settings


def read_input(text: str) -> tuple[int, int, int]:
    """Returns the size given with `--input`: channels, height, width.

    Raises:
        InputError: not three sizes in range.
    """
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--input takes three whole numbers C,H,W (3,224,224), not {text!r}") from None
    if not all(0 < size <= 65_536 for size in (channels, height, width)):
        raise InputError(f"--input needs sizes from 1 to 65,536, not {text}")
    return channels, height, width
