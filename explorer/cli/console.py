"""What all commands share: writing lines, and reading the arguments that several of them take."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.inspection.portrait import Portrait

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    """Where each command adds its own parser."""


NAMES = "resnet50, resnet50+se, torchvision:resnet50, timm:resnet50, file.py:callable"
"""How a network is named."""


def say(text: str) -> None:
    """Writes a line to stderr. What several processes of torchrun say in the same words is written once a machine."""
    if _is_news(text):
        print(text, file=sys.stderr)  # noqa: T201


def _is_news(text: str) -> bool:
    """Returns whether this is the first process of torchrun's on this machine to say so."""
    errors = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not errors:
        return True
    # Lies in a folder that torchrun makes for each process, in one that all that it starts together have in common.
    try:
        (Path(errors).parents[1] / f"said_{crc32(text.encode()):08x}").touch(exist_ok=False)
    except FileExistsError:
        return False
    except (OSError, IndexError):
        pass
    return True


def write(text: str) -> None:
    """Writes text to stdout, with a line break at its end."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def add_network(command: argparse.ArgumentParser) -> None:
    """Adds NAME, `--input` and `--set`, which `read_network` reads."""
    command.add_argument("name", metavar="NAME", help=NAMES)
    command.add_argument("--input", metavar="C,H,W", help="size of the input; default: the network's own")
    add_settings(command, "builder option, num_classes=10 for instance")


def read_network(name: str, input: str | None, settings: Iterable[str], option: str = "--set") -> Portrait:
    """Returns the network that a command line names, inspected.

    Args:
        name: of the registry, or `file.py:callable`; what such a file prints goes to stderr.
        input: given with `--input`; None for the network's own.
        settings: given with `--set`, or what takes its place.
        option: what takes its place.

    Raises:
        InputError: one of these cannot be used.
    """
    from explorer.inspection.portrait import portray

    size, chosen = None if input is None else read_input(input), read_settings(settings, option)
    with redirect_stdout(sys.stderr):
        return portray(name, size, chosen)


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
