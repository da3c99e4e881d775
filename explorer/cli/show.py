"""`show`: the layer table of a network."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, get_args

from explorer.cli.console import add_network, read_network, write
from explorer.errors import InputError
from explorer.inspection.memory import Optimiser, Precision, TrainingSetup

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `show`."""
    command = commands.add_parser("show", help="layer table of a network, with parameters and MACs")
    add_network(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", const="json", dest="form")
    form.add_argument("--csv", action="store_const", const="csv", dest="form")
    form.add_argument("--markdown", action="store_const", const="markdown", dest="form")
    form.add_argument("--latex", action="store_const", const="latex", dest="form")
    step = command.add_argument_group("memory of a step of training")
    step.add_argument("--train-step", action="store_true", help="work it out as well; takes seconds")
    step.add_argument("--batch-size", metavar="N", type=int, default=32, help="default: 32")
    step.add_argument("--optimiser", choices=get_args(Optimiser), default="sgd-momentum", help="default: sgd-momentum")
    step.add_argument("--precision", choices=get_args(Precision), default="32", help="default: 32")
    command.set_defaults(command=_show)


def _show(arguments: argparse.Namespace) -> int:
    from explorer.inspection import report

    setup = None
    if arguments.train_step:
        setup = TrainingSetup(arguments.batch_size, arguments.optimiser, arguments.precision)
    portrait = read_network(arguments.name, arguments.input, arguments.settings)
    if arguments.form == "json":
        with redirect_stdout(sys.stderr):  # the network is built once more, for its memory in training
            document = report.document(portrait, setup)
        write(json.dumps(document, ensure_ascii=False))
    elif arguments.form == "csv":
        write(report.to_csv(portrait.anatomy))
    elif arguments.form == "markdown":
        write(report.to_markdown(portrait.anatomy))
    elif arguments.form == "latex":
        from explorer.inspection.latex import to_latex

        write(to_latex(portrait.anatomy))
    else:
        with redirect_stdout(sys.stderr):
            text = report.to_text(portrait, setup)
        write(text)
    if portrait.failure_text:
        sys.stdout.flush()
        raise InputError(portrait.failure_text)  # after the part that works
    return 0
