"""The headless commands, one module each.

What goes wrong is one line on stderr; the exit status is 2 for input that cannot be used and 1 for a failure at work.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from explorer.cli import classify, compare, datasets, export, graph, listing, show, train
from explorer.cli.console import say
from explorer.errors import InputError


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):  # × and · on any terminal, names that are no text, and each line at once
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    try:
        options = _parser().parse_args(_with_input_joined(arguments))
        command: Callable[[argparse.Namespace], int] = options.command
        status = command(options)
        sys.stdout.flush()
        return status
    except InputError as error:
        return _fail(error, 2)
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _fail(error, 1)


def _fail(error: Exception, status: int) -> int:
    text = " ".join(str(error).split()) or type(error).__name__
    say(f"architecture-explorer: {text}")
    return status


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line, as all other mistakes are told."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` tells more")


def _parser() -> argparse.ArgumentParser:
    from importlib.metadata import PackageNotFoundError, version

    parser = _Parser(
        prog="architecture-explorer",
        description="Look up, inspect, train and try convolutional networks. Without a command it opens the window: "
        "architecture-explorer [--architecture NAME] [IMAGE or RUN FOLDER …]",
    )
    try:
        number = version("architecture-explorer")
    except PackageNotFoundError:
        number = "not installed"
    parser.add_argument("--version", action="version", version=number)
    commands = parser.add_subparsers(title="commands", required=True)
    for command in (listing, show, compare, datasets, train, classify, graph, export):
        command.add(commands)
    return parser


def _with_input_joined(arguments: Iterable[str]) -> list[str]:
    """Returns `--input -1,32,32` as `--input=-1,32,32`: argparse would take the value for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--input":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
