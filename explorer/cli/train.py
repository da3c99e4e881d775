"""`train`: one run, without a window."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from explorer.cli.console import add_settings, read_settings, say, write
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands
    from explorer.training.events import Event
    from explorer.training.recipe import Recipe


def add(commands: Commands) -> None:
    """Adds `train`."""
    from explorer.training.presets import preset_names

    command = commands.add_parser("train", help="train a network")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--dataset", help="default: the recipe's, else digits")
    command.add_argument("--data-dir", metavar="DIR", help="folder that holds the dataset")
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch-size", type=int)
    recipe = command.add_mutually_exclusive_group()
    recipe.add_argument("--recipe", metavar="FILE.toml", type=Path)
    recipe.add_argument("--preset", help=f"a recipe by name: {', '.join(preset_names())}")
    add_settings(command, "recipe setting or builder option, learning_rate=0.1 for instance")
    command.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")
    command.add_argument("--seed", type=int)
    command.add_argument("--run-dir", metavar="DIR", type=Path, help="folder of this run; default: a new one")
    command.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    command.add_argument("--dry-run", action="store_true", help="say what memory and time it takes; train nothing")
    command.add_argument("--json", action="store_true", help="print the events, one JSON object a line")
    command.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    from explorer.data.datasets import full_name
    from explorer.training.fit import fit
    from explorer.training.run_folder import RunFolder

    if arguments.resume:
        if arguments.run_dir is None:
            raise InputError("--resume needs --run-dir, the folder of the run to go on with")
        folder = RunFolder(arguments.run_dir)
        recipe = folder.recipe
        if recipe.architecture != arguments.name:
            raise InputError(f"{arguments.run_dir} is a run of {recipe.architecture}, not of {arguments.name}")
        changed = [
            flag
            for flag, value in (
                ("--dataset", arguments.dataset and full_name(arguments.dataset) != recipe.dataset),
                ("--epochs", arguments.epochs and arguments.epochs != recipe.epochs),
                ("--batch-size", arguments.batch_size and arguments.batch_size != recipe.batch_size),
                ("--seed", arguments.seed is not None and arguments.seed != recipe.seed),
                ("--recipe", arguments.recipe),
                ("--preset", arguments.preset),
                ("--dry-run", arguments.dry_run),
                ("--set", arguments.settings),
            )
            if value
        ]
        if changed:
            raise InputError(f"a resumed run keeps its recipe: leave out {', '.join(changed)}")
    else:
        recipe = _recipe(arguments)
        _check_network(recipe)
        if arguments.dry_run:
            return _dry_run(recipe, arguments.device, arguments.json)
        folder = RunFolder.create(recipe, arguments.run_dir)
    with _interruption() as interrupted:
        events = fit(recipe, folder, arguments.device, arguments.resume)
        try:
            return _follow(events, interrupted, arguments.json)
        finally:
            events.close()


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from dataclasses import asdict

    from explorer.data.datasets import dataset_info, full_name
    from explorer.training.presets import preset_recipe
    from explorer.training.recipe import change, default_recipe, from_mapping, load_recipe

    if arguments.recipe is not None:
        recipe = load_recipe(arguments.recipe)
    elif arguments.preset is not None:
        recipe = preset_recipe(arguments.preset, arguments.name, arguments.dataset or "")
    else:
        recipe = default_recipe(arguments.name, arguments.dataset or "digits")
    given = {
        "architecture": arguments.name,
        "dataset": arguments.dataset and full_name(arguments.dataset),
        "data_dir": arguments.data_dir,
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
    }
    values = asdict(recipe) | {name: value for name, value in given.items() if value is not None}
    recipe = change(from_mapping(values), read_settings(arguments.settings))
    dataset_info(recipe.dataset)
    return recipe


def _check_network(recipe: Recipe) -> None:
    """Finds mistakes in name and options before a folder is made for the run."""
    from explorer.architectures.options import check_options
    from explorer.architectures.registry import entry, options

    network = entry(recipe.architecture)
    check_options(options(network), recipe.options, network.name)


def _dry_run(recipe: Recipe, device: str, as_json: bool) -> int:
    """Prints what the run will take."""
    from dataclasses import asdict

    from explorer.training.preflight import preflight

    steps = preflight(recipe, device)
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            found = stop.value
            break
        if not as_json:
            _print_event(progress)
    if as_json:
        write(json.dumps(asdict(found)))
        return 0
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    write(f"{recipe.architecture} ({found.params:,} parameters) on {recipe.dataset}, {found.device_name}")
    step = f"{1000 * found.step_seconds:,.1f} ms a step of {recipe.batch_size} images"
    write(f"{step}, {found.steps_per_epoch:,} steps an epoch")
    write(f"{_duration(found.epoch_seconds)} an epoch, {_duration(found.run_seconds)} for {recipe.epochs} epochs")
    if found.peak_bytes is not None:
        whole = "of GPU memory" if found.device == "cuda" else "of memory, the whole program"
        write(f"{found.peak_bytes / 2**20:,.0f} MiB {whole}")
    if found.largest_batch is not None:
        write(f"batches of {found.largest_batch:,} fit")
    return 0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


@contextmanager
def _interruption() -> Generator[list[int], None, None]:
    """Collects SIGINT and SIGTERM instead of dying of them in the middle of a step."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:  # a second time: now
            raise KeyboardInterrupt
        received.append(number)

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _follow(events: Generator[Event, None, object], interrupted: list[int], as_json: bool) -> int:
    """Prints events until they end or a signal comes, which saves the run."""
    from explorer.training.events import Finished, Started, to_document

    run = ""
    for event in events:
        if isinstance(event, Started):
            run = event.run
        if as_json:
            write(json.dumps(to_document(event)))
        else:
            _print_event(event)
        if interrupted and not isinstance(event, Finished):
            events.close()
            again = f"; go on with --resume --run-dir {run}" if run else ""
            say(f"architecture-explorer: interrupted, the run is saved{again}" if run else "interrupted")
            return 128 + interrupted[0]
    return 0


def _print_event(event: Event) -> None:
    from explorer.data.download import Progress
    from explorer.training.events import Epoch, Finished, Started, Steps

    live = sys.stderr.isatty()
    if isinstance(event, Progress) and live:
        share = f" {100 * event.done / event.total:3.0f} %" if event.total else ""
        sys.stderr.write(f"\r\033[K{event.message}{share}")
    elif isinstance(event, Started):
        place = f"{event.device_name}, {event.precision}"
        write(f"{event.architecture} ({event.params:,} parameters) on {event.dataset}, {place}")
        write(f"{event.train_images:,} training and {event.validation_images:,} validation images, run {event.run}")
    elif isinstance(event, Steps) and live:
        speed = f"{event.images_per_second:,.0f} images/s"
        left = f"{event.seconds_left:.0f} s left"
        sys.stderr.write(f"\r\033[Kstep {event.step:,}  loss {event.losses[-1]:.4f}  {speed}  {left}")
    elif isinstance(event, Epoch):
        if live:
            sys.stderr.write("\r\033[K")
        write(
            f"epoch {event.epoch:3}  loss {event.train_loss:.4f}  accuracy {event.train_accuracy:7.2%}  "
            f"validation loss {event.validation_loss:.4f}  accuracy {event.validation_accuracy:7.2%}  "
            f"{event.images_per_second:,.0f} images/s{'  best' if event.best else ''}"
        )
    elif isinstance(event, Finished):
        test = "" if event.test_accuracy is None else f", {event.test_accuracy:.2%} of the test images"
        write(f"best epoch {event.best_epoch}: {event.best_accuracy:.2%} of the validation images{test}")
