"""`show`: the layer table of a network."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from explorer.cli.console import add_settings, read_input, read_settings, write
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `show`."""
    command = commands.add_parser("show", help="layer table of a network, with parameters and MACs")
    command.add_argument("name", metavar="NAME", help="resnet50, torchvision:resnet50, timm:resnet50, file.py:callable")
    command.add_argument("--input", metavar="C,H,W", help="size of the input; default: the network's own")
    add_settings(command, "builder option, num_classes=10 for instance")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", const="json", dest="form")
    form.add_argument("--csv", action="store_const", const="csv", dest="form")
    form.add_argument("--markdown", action="store_const", const="markdown", dest="form")
    command.set_defaults(command=_show)


def _show(arguments: argparse.Namespace) -> int:
    from explorer.inspection import report
    from explorer.inspection.portrait import portray

    input = None if arguments.input is None else read_input(arguments.input)
    with redirect_stdout(sys.stderr):  # what a user's own file prints is no part of the document
        portrait = portray(arguments.name, input, read_settings(arguments.settings))
    if arguments.form == "json":
        write(json.dumps(report.document(portrait), ensure_ascii=False))
    elif arguments.form == "csv":
        write(report.to_csv(portrait.anatomy))
    elif arguments.form == "markdown":
        write(report.to_markdown(portrait.anatomy))
    else:
        write(report.to_text(portrait))
    if portrait.failure_text:
        sys.stdout.flush()
        raise InputError(portrait.failure_text)  # after the part that works
    return 0
