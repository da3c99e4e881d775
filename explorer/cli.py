"""The headless commands: `list`, `show`, `train`, `classify`, `datasets`.

What goes wrong is one line on stderr; the exit status is 2 for input that cannot be used and 1 for a failure at work.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.architectures.registry import Entry
    from explorer.training.events import Event
    from explorer.training.recipe import Recipe


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit status."""
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # × and · on any terminal, file names that are no text, and each line at once
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
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _fail(error, 1)


def _fail(error: Exception, status: int) -> int:
    text = " ".join(str(error).split()) or type(error).__name__
    _say(f"architecture-explorer: {text}")
    return status


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


def _write(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


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

    command = commands.add_parser("list", help="names of the networks that can be shown and trained")
    command.add_argument("--source", choices=("explorer", "torchvision", "timm", "all"), default="explorer")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_list)

    command = commands.add_parser("show", help="layer table of a network, with parameters and MACs")
    command.add_argument("name", metavar="NAME", help="resnet50, torchvision:resnet50, timm:resnet50, file.py:callable")
    command.add_argument("--input", metavar="C,H,W", help="size of the input; default: the network's own")
    _add_settings(command, "builder option, num_classes=10 for instance")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", const="json", dest="form")
    form.add_argument("--csv", action="store_const", const="csv", dest="form")
    form.add_argument("--markdown", action="store_const", const="markdown", dest="form")
    command.set_defaults(command=_show)

    command = commands.add_parser("datasets", help="datasets that training knows")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_datasets)

    command = commands.add_parser("train", help="train a network")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--dataset", help="default: the recipe's, else digits")
    command.add_argument("--data-dir", metavar="DIR", help="folder that holds the dataset")
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch-size", type=int)
    command.add_argument("--recipe", metavar="FILE.toml", type=Path)
    _add_settings(command, "recipe setting or builder option, learning_rate=0.1 for instance")
    command.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")
    command.add_argument("--seed", type=int)
    command.add_argument("--run-dir", metavar="DIR", type=Path, help="folder of this run; default: a new one")
    command.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    command.add_argument("--json", action="store_true", help="print the events, one JSON object a line")
    command.set_defaults(command=_train)

    command = commands.add_parser("classify", help="say what is on images")
    command.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    command.add_argument("--model", metavar="NAME|RUN_DIR", default="efficientnet_lite0")
    command.add_argument("--top", metavar="N", type=int, default=5)
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_classify)
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


def _add_settings(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], dest="settings", help=text)


def _settings(pairs: Iterable[str]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set takes KEY=VALUE, not {pair!r}")
        settings[key.strip()] = value.strip()
    return settings


def _input_size(text: str) -> tuple[int, int, int]:
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--input takes three whole numbers C,H,W (3,224,224), not {text!r}") from None
    if not all(0 < size <= 65_536 for size in (channels, height, width)):
        raise InputError(f"--input needs sizes from 1 to 65,536, not {text}")
    return channels, height, width


def _list(arguments: argparse.Namespace) -> int:
    from explorer.architectures.registry import catalogue, library_entries

    entries: list[Entry] = []
    if arguments.source in ("explorer", "all"):
        entries += catalogue()
    for library in ("torchvision", "timm"):
        if arguments.source in (library, "all"):
            entries += library_entries(library)
    if arguments.json:
        _write(json.dumps([_entry_document(entry) for entry in entries], ensure_ascii=False))
        return 0
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        size = "×".join(map(str, entry.input))
        year = str(entry.year or "")
        title = entry.title if entry.source == "explorer" else ""
        _write(f"{entry.name:{width}}  {year:4}  {size:12}  {title}".rstrip())
    return 0


def _entry_document(entry: Entry) -> dict[str, Any]:
    published = entry.published
    return {
        "name": entry.name,
        "source": entry.source,
        "implementation": entry.implementation,
        "title": entry.title,
        "family": entry.family,
        "year": entry.year,
        "authors": entry.authors,
        "paper": entry.paper,
        "link": entry.link,
        "task": entry.task,
        "input": list(entry.input),
        "mean": list(entry.mean),
        "std": list(entry.std),
        "published": published and {"params": published.params, "macs": published.macs, "source": published.source},
    }


def _show(arguments: argparse.Namespace) -> int:
    from explorer.inspection import report
    from explorer.inspection.portrait import portray

    input = None if arguments.input is None else _input_size(arguments.input)
    with redirect_stdout(sys.stderr):  # what a user's own file prints is no part of the document
        portrait = portray(arguments.name, input, _settings(arguments.settings))
    if arguments.form == "json":
        _write(json.dumps(report.document(portrait), ensure_ascii=False))
    elif arguments.form == "csv":
        _write(report.to_csv(portrait.anatomy))
    elif arguments.form == "markdown":
        _write(report.to_markdown(portrait.anatomy))
    else:
        _write(report.to_text(portrait))
    if portrait.failure_text:
        sys.stdout.flush()
        raise InputError(portrait.failure_text)  # after the part that works
    return 0


def _datasets(arguments: argparse.Namespace) -> int:
    from explorer.data.datasets import DATASETS, is_present

    rows = [
        {
            "name": info.name,
            "title": info.title,
            "images": info.images,
            "test_images": info.test_images,
            "shape": list(info.shape),
            "classes": list(info.classes),
            "offline": info.offline,
            "present": is_present(info.name),
            "download_bytes": info.download_bytes,
            "source": info.source,
        }
        for info in DATASETS.values()
    ]
    if arguments.json:
        _write(json.dumps(rows, ensure_ascii=False))
        return 0
    for row in rows:
        size = "×".join(map(str, row["shape"]))  # type: ignore[call-overload]
        state = "here" if row["present"] else f"{row['download_bytes'] / 1e6:.0f} MB to download"  # type: ignore[operator]
        count = f"{row['images']:>6,} + {row['test_images']:>6,} images of {size}"
        _write(f"{row['name']:14}  {count:35}  {state:22}  {row['title']}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
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
                ("--dataset", arguments.dataset and arguments.dataset != recipe.dataset),
                ("--epochs", arguments.epochs and arguments.epochs != recipe.epochs),
                ("--batch-size", arguments.batch_size and arguments.batch_size != recipe.batch_size),
                ("--seed", arguments.seed is not None and arguments.seed != recipe.seed),
                ("--recipe", arguments.recipe),
                ("--set", arguments.settings),
            )
            if value
        ]
        if changed:
            raise InputError(f"a resumed run keeps its recipe: leave out {', '.join(changed)}")
    else:
        recipe = _recipe(arguments)
        _check_network(recipe)
        folder = RunFolder.create(recipe, arguments.run_dir)
    with _interruption() as interrupted:
        events = fit(recipe, folder, arguments.device, arguments.resume)
        try:
            return _follow(events, interrupted, arguments.json)
        finally:
            events.close()


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from dataclasses import asdict

    from explorer.data.datasets import dataset_info
    from explorer.training.recipe import change, default_recipe, from_mapping, load_recipe

    if arguments.recipe is not None:
        recipe = load_recipe(arguments.recipe)
    else:
        recipe = default_recipe(arguments.name, arguments.dataset or "digits")
    given = {
        "architecture": arguments.name,
        "dataset": arguments.dataset,
        "data_dir": arguments.data_dir,
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
    }
    values = asdict(recipe) | {name: value for name, value in given.items() if value is not None}
    recipe = change(from_mapping(values), _settings(arguments.settings))
    dataset_info(recipe.dataset)
    return recipe


def _check_network(recipe: Recipe) -> None:
    """Finds mistakes in name and options before a folder is made for the run."""
    from explorer.architectures.options import check_options
    from explorer.architectures.registry import entry, options

    network = entry(recipe.architecture)
    check_options(options(network), recipe.options, network.name)


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
            _write(json.dumps(to_document(event)))
        else:
            _print_event(event)
        if interrupted and not isinstance(event, Finished):
            events.close()
            again = f"; go on with --resume --run-dir {run}" if run else ""
            _say(f"architecture-explorer: interrupted, the run is saved{again}" if run else "interrupted")
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
        _write(f"{event.architecture} ({event.params:,} parameters) on {event.dataset}, {place}")
        _write(f"{event.train_images:,} training and {event.validation_images:,} validation images, run {event.run}")
    elif isinstance(event, Steps) and live:
        speed = f"{event.images_per_second:,.0f} images/s"
        left = f"{event.seconds_left:.0f} s left"
        sys.stderr.write(f"\r\033[Kstep {event.step:,}  loss {event.losses[-1]:.4f}  {speed}  {left}")
    elif isinstance(event, Epoch):
        if live:
            sys.stderr.write("\r\033[K")
        _write(
            f"epoch {event.epoch:3}  loss {event.train_loss:.4f}  accuracy {event.train_accuracy:7.2%}  "
            f"validation loss {event.validation_loss:.4f}  accuracy {event.validation_accuracy:7.2%}  "
            f"{event.images_per_second:,.0f} images/s{'  best' if event.best else ''}"
        )
    elif isinstance(event, Finished):
        test = "" if event.test_accuracy is None else f", {event.test_accuracy:.2%} of the test images"
        _write(f"best epoch {event.best_epoch}: {event.best_accuracy:.2%} of the validation images{test}")


def _classify(arguments: argparse.Namespace) -> int:
    from explorer.inference.classifier import load_classifier
    from explorer.inference.images import find_images

    if arguments.top < 1:
        raise InputError(f"--top must be at least 1, not {arguments.top}")
    classifier = load_classifier(arguments.model)
    paths = list(find_images(arguments.paths))
    if not paths:
        raise InputError(f"there are no images in {', '.join(map(str, arguments.paths))}")
    results = (classifier.classify_file(path, arguments.top) for path in paths)
    if arguments.json:
        from dataclasses import asdict

        documents = [asdict(result) for result in results]
        _write(json.dumps(documents, ensure_ascii=False))
        return 2 if all(document["error"] for document in documents) else 0
    failed = 0
    for result in results:
        failed += result.error is not None
        if result.error is not None:
            _say(f"architecture-explorer: {result.error}")
            continue
        _write(result.path)
        for prediction in result.predictions:
            _write(f"  {prediction.probability:7.2%}  {prediction.label}")
    return 2 if failed == len(paths) else 0
