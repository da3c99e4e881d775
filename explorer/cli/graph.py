"""`graph`: the shape flow of a network as a picture or as data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import add_network, read_network, say
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `graph`."""
    command = commands.add_parser("graph", help="picture of a network with a tensor's shape on every line")
    add_network(command)
    command.add_argument("--output", metavar="FILE", required=True, type=Path, help="ends in .svg, .png, .dot or .json")
    groups = command.add_mutually_exclusive_group()
    groups.add_argument(
        "--depth", metavar="N", type=int, help="open N levels of groups; default: as the window shows the network"
    )
    groups.add_argument("--full", action="store_true", help="open every group")
    command.add_argument("--flow", choices=("down", "right"), default="down", help="which way the tensors go")
    command.set_defaults(command=_graph)


def _graph(arguments: argparse.Namespace) -> int:
    from explorer.inspection.graph.export import FORMATS, groups_to_depth, write_graph
    from explorer.inspection.graph.layout import Flow
    from explorer.inspection.saving import check_place, ending

    ending(arguments.output, FORMATS)
    check_place(arguments.output)
    if arguments.depth is not None and arguments.depth < 0:
        raise InputError(f"--depth takes a whole number from 0, not {arguments.depth}")
    portrait = read_network(arguments.name, arguments.input, arguments.settings)
    depth = len(portrait.anatomy.groups) if arguments.full else arguments.depth
    note = write_graph(portrait, arguments.output, groups_to_depth(portrait.anatomy, depth), Flow(arguments.flow))
    say(f"{arguments.output} written{note and f', {note}'}")
    if portrait.failure_text:
        raise InputError(f"{portrait.failure_text}. The picture ends there")  # after the part that works
    return 0
