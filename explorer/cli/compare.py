"""`compare`: what two networks have in common and where they differ."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from explorer.cli.console import NAMES, add_settings, read_network, write
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `compare`."""
    command = commands.add_parser("compare", help="two networks side by side: what is changed, added, removed")
    command.add_argument("a", metavar="NAME", help=NAMES)
    command.add_argument("b", metavar="NAME", help="the network to compare it with")
    command.add_argument("--input", metavar="C,H,W", help="size of the input of both; default: each network's own")
    add_settings(command, "builder option of the first, num_classes=10 for instance", "--set-a", "settings_a")
    add_settings(command, "builder option of the second", "--set-b", "settings_b")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from explorer.inspection.comparison import report as diff_report
    from explorer.inspection.comparison.diff import diff

    a = read_network(arguments.a, arguments.input, arguments.settings_a, "--set-a")
    b = read_network(arguments.b, arguments.input, arguments.settings_b, "--set-b")
    difference = diff(a.anatomy, b.anatomy)
    if arguments.json:
        write(json.dumps(diff_report.document(a, b, difference), ensure_ascii=False))
    else:
        write(diff_report.to_text(a, b, difference))
    failures = diff_report.failures_text(a, b)
    if failures:
        sys.stdout.flush()
        raise InputError(failures)  # after the part that works
    return 0
