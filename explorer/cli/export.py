"""`export`: a network with its weights for other programs."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from explorer.cli.console import add_settings, read_network, say
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from explorer.cli.console import Commands
    from explorer.inspection.anatomy import Shape
    from explorer.inspection.portrait import Portrait

SEED = 0
"""Of fresh weights, so that the same command makes the same file."""


class _Subject(NamedTuple):
    """What is exported."""

    network: nn.Module
    shapes: tuple[Shape, ...]
    description: dict[str, Any]
    weights: str
    """Where they come from, in words."""


def add(commands: Commands) -> None:
    """Adds `export`."""
    command = commands.add_parser("export", help="a network for other programs: ONNX, PyTorch .pt2, safetensors")
    command.add_argument(
        "name", metavar="NAME|RUN_DIR", help="as in `show`, or the folder of a run, whose best weights are taken"
    )
    command.add_argument(
        "--output", metavar="FILE", required=True, type=Path, help="ends in .onnx, .pt2 or .safetensors"
    )
    command.add_argument("--input", metavar="C,H,W", help="size of the input; default: the network's own")
    add_settings(command, "builder option, num_classes=10 for instance")
    command.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from explorer.inspection.network_export import FORMATS, write_network
    from explorer.inspection.saving import check_place, ending

    ending(arguments.output, FORMATS)
    check_place(arguments.output)
    with redirect_stdout(sys.stderr):  # where a user's own file may print
        if _is_run(arguments.name):
            if arguments.input is not None or arguments.settings:
                raise InputError(
                    f"{arguments.name} was trained with its own input and options: leave out --input, --set"
                )
            subject = _trained(arguments.name)
        else:
            subject = _named(read_network(arguments.name, arguments.input, arguments.settings))
        exported = write_network(subject.network, subject.shapes, arguments.output, subject.description, arguments.name)
    batches = "" if exported.any_batch else ", for one image at a time"
    say(f"{exported.path} written{batches}: {subject.weights}")
    return 0


def _is_run(name: str) -> bool:
    """Whether a name means something on the disk and no network of the registry.

    Raises:
        InputError: it looks like a path at which nothing is.
    """
    from explorer.architectures.cards import catalogue

    if ".py" in name or name in {entry.name for entry in catalogue()}:
        return False
    if os.path.exists(name):  # says no where Path.exists would raise, for too long a name
        return True
    if os.path.basename(name) != name:
        raise InputError(f"there is nothing at {name}: give the name of a network or the folder of a run")
    return False


def _trained(model: str) -> _Subject:
    from explorer.inference.classifier import load_classifier

    classifier = load_classifier(model)
    spec = classifier.spec
    description = {**asdict(spec), "weights": "trained"}
    return _Subject(
        classifier.network, ((1, *spec.preprocessing.input),), description, f"trained weights, {classifier.title}"
    )


def _named(portrait: Portrait) -> _Subject:
    import torch

    from explorer.architectures.registry import build
    from explorer.tasks.pretrained import PRETRAINED

    if portrait.failure_text:
        raise InputError(portrait.failure_text)
    if portrait.entry.name in PRETRAINED and portrait.canonical:
        subject = _trained(portrait.entry.name)
        return subject._replace(description=subject.description | {"weights": "pretrained"})
    torch.manual_seed(SEED)
    network = build(portrait.entry, portrait.input, device="cpu", **dict(portrait.chosen))
    description = {
        "architecture": portrait.entry.name,
        "options": dict(portrait.chosen),
        "input": portrait.input,
        "weights": f"random, seed {SEED}",
    }
    return _Subject(
        network,
        portrait.anatomy.inputs,
        description,
        f"fresh random weights, seed {SEED} (the folder of a run has trained ones)",
    )
