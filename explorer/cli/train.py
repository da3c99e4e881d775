"""`train`: one run, without a window."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Callable, Generator
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import add_settings, read_settings, say, write
from explorer.cli.interruption import Interruption
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands
    from explorer.cli.training_display import TrainingDisplay
    from explorer.training.events import Event
    from explorer.training.processes import Processes
    from explorer.training.recipe import Recipe


def add(commands: Commands) -> None:
    """Adds `train`."""
    from explorer.training.presets import preset_names

    command = commands.add_parser("train", help="train a network")
    command.add_argument("name", metavar="NAME", nargs="?", help="default: that of the recipe, preset or run")
    command.add_argument("--dataset", help="default: the recipe's, else digits")
    command.add_argument("--data-dir", metavar="DIR", help="folder that holds the dataset")
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch-size", type=int)
    recipe = command.add_mutually_exclusive_group()
    recipe.add_argument("--recipe", metavar="FILE.toml", type=Path)
    recipe.add_argument("--preset", help=f"a recipe by name: {', '.join(preset_names())}")
    add_settings(command, "recipe setting or builder option, learning_rate=0.1 for instance")
    command.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")
    command.add_argument("--sharded", action="store_true", help="under torchrun: divide the network, not only batches")
    command.add_argument("--seed", type=int)
    command.add_argument("--run-dir", metavar="DIR", type=Path, help="folder of this run; default: a new one")
    command.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    command.add_argument("--dry-run", action="store_true", help="say what memory and time it takes; train nothing")
    command.add_argument("--json", action="store_true", help="print the events, one JSON object a line")
    command.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    """Trains, as one of several processes where torchrun has started them: the first alone prints and writes."""
    from explorer.training.errors import TrainingError
    from explorer.training.processes import is_lost, join, launched, leave

    if not (arguments.name or arguments.recipe or arguments.preset or arguments.resume):
        raise InputError("train needs the NAME of a network, `train lenet5` for instance, or a recipe")
    if arguments.resume and arguments.run_dir is None:
        raise InputError("--resume needs --run-dir, the folder of the run to go on with")
    with Interruption() as interruption, Path(os.devnull).open("w") as nowhere:
        try:
            processes = join(arguments.device, arguments.sharded)
            with nullcontext() if processes.first else redirect_stdout(nowhere):  # what a user's network prints, too
                status = _train_with(processes, arguments, interruption)
        except Exception as error:
            if not launched() or isinstance(error, TrainingError) or not is_lost(error):
                raise
            raise TrainingError("another process of the job ended before the training began") from None
        leave(processes)
        return status


def _train_with(processes: Processes, arguments: argparse.Namespace, interruption: Interruption) -> int:
    from explorer.cli.training_display import TrainingDisplay
    from explorer.data.datasets import full_name
    from explorer.training.fit import fit
    from explorer.training.others_folder import OthersFolder
    from explorer.training.run_folder import RunFolder

    folder: RunFolder
    if arguments.resume:
        folder = RunFolder(arguments.run_dir) if processes.first else OthersFolder(arguments.run_dir)
        recipe = processes.of_first(lambda: folder.recipe)
        if arguments.name not in (None, recipe.architecture):
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
        recipe = processes.of_first(lambda: _recipe(arguments))
        _check_network(recipe)
        if arguments.dry_run:
            if not processes.alone:
                raise InputError("--dry-run tells what one process takes: leave out torchrun")
            return _dry_run(recipe, arguments.device, arguments.json)
        path = processes.of_first(lambda: RunFolder.create(recipe, arguments.run_dir).path)
        folder = RunFolder(path) if processes.first else OthersFolder(path)
    events = fit(recipe, folder, arguments.device, arguments.resume, processes)
    display = TrainingDisplay()
    show = _print_nothing if not processes.first else _print_json if arguments.json else display.show
    try:
        return _follow(events, interruption, show, display)
    finally:
        display.clear()
        events.close()


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from dataclasses import asdict

    from explorer.data.datasets import dataset_info, full_name
    from explorer.training.presets import preset_recipe
    from explorer.training.recipe import change, default_recipe, from_mapping, load_recipe

    if arguments.recipe is not None:
        recipe = load_recipe(arguments.recipe)
    elif arguments.preset is not None:
        recipe = preset_recipe(arguments.preset, arguments.name or "", arguments.dataset or "")
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

    from explorer.cli.training_display import TrainingDisplay
    from explorer.training.preflight import preflight

    display = TrainingDisplay()
    steps = preflight(recipe, device)
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            found = stop.value
            break
        if not as_json:
            display.show(progress)
    if as_json:
        write(json.dumps(asdict(found)))
        return 0
    display.clear()
    write(f"{recipe.architecture} ({found.params:,} parameters) on {recipe.dataset}, {found.device_name}")
    step = f"{1000 * found.step_seconds:,.1f} ms a step of {recipe.batch_size} images"
    write(f"{step}, {found.steps_per_epoch:,} steps an epoch")
    write(f"{_duration(found.epoch_seconds)} an epoch, {_duration(found.run_seconds)} for {recipe.epochs} epochs")
    if found.peak_bytes is not None:
        whole = "of GPU memory" if found.device == "cuda" else "of memory, the whole program"
        write(f"{found.peak_bytes / 2**20:,.0f} MiB {whole}")
    if found.largest_batch is not None:
        about = "" if found.device == "cuda" else "about "
        write(f"batches of up to {about}{found.largest_batch:,} images fit")
    return 0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def _follow(
    events: Generator[Event, None, object],
    interruption: Interruption,
    show: Callable[[Event], object],
    display: TrainingDisplay,
) -> int:
    """Prints events until they end or a signal comes, here or to another process of the job, which saves the run."""
    from explorer.training.errors import StoppedError
    from explorer.training.events import Finished, Started

    run, saved = "", ""
    try:
        for event in events:
            if isinstance(event, Started):
                run, interruption.begun = event.run, True
            show(event)
            if interruption.begun and interruption.number and not isinstance(event, Finished):
                events.close()
                break
        else:
            return 0
    except StoppedError:
        pass
    except KeyboardInterrupt:  # a second signal
        saved = " up to its last checkpoint"
    display.clear()
    say(f"architecture-explorer: interrupted, the run is saved{saved}; go on with --resume --run-dir {run}")
    return 128 + (interruption.number or signal.SIGTERM)


def _print_nothing(event: Event) -> None:
    pass


def _print_json(event: Event) -> None:
    from explorer.training.events import to_document

    write(json.dumps(to_document(event)))
