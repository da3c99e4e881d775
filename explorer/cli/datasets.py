"""`datasets`: what training knows, and what one of them holds."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.console import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.cli.console import Commands
    from explorer.data.catalogue import DatasetInfo
    from explorer.data.overview import Overview

_SHOWN = 20
"""Files that are wrong, and classes, told one by one to people; JSON has them all."""


def add(commands: Commands) -> None:
    """Adds `datasets`."""
    command = commands.add_parser("datasets", help="datasets that training knows, or what one of them holds")
    command.add_argument(
        "name", metavar="DATASET", nargs="?", help="load this one (a name or a folder) and look into it"
    )
    command.add_argument("--data-dir", metavar="DIR", help="folder that holds the dataset")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_datasets)


def _datasets(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.data_dir) if arguments.data_dir else None
    if arguments.name is not None:
        return _look_into(arguments.name, folder, arguments.json)
    from explorer.data.datasets import DATASETS, is_present
    from explorer.data.overview import info_document

    present = {name: is_present(name, folder) for name in DATASETS}
    if arguments.json:
        rows = [{**info_document(info), "present": present[info.name]} for info in DATASETS.values()]
        write(json.dumps(rows, ensure_ascii=False))
        return 0
    held = {name: f"{_count(_published(info))} of {_size(info)}" for name, info in DATASETS.items()}
    width = max(map(len, held.values()))
    for info in DATASETS.values():
        state = "here" if present[info.name] else f"{info.download_bytes / 1e6:.0f} MB to download"
        write(f"{info.name:15}  {held[info.name]:{width}}  {len(info.classes):3} classes  {state:22}  {info.title}")
    return 0


def _look_into(name: str, folder: Path | None, as_json: bool) -> int:
    from explorer.data.overview import overview, to_document

    told = _follow(overview(name, folder, samples=0))
    if as_json:
        write(json.dumps({**to_document(told), "present": True}, ensure_ascii=False))
    else:
        _print(told)
    return 0


def _follow(steps: Any) -> Overview:
    """Runs it to the end and shows its progress on a terminal."""
    live = sys.stderr.isatty()
    try:
        while True:
            step = next(steps)
            if live:
                share = f" {100 * step.done / step.total:3.0f} %" if step.total else ""
                sys.stderr.write(f"\r\033[K{step.message}{share}")
    except StopIteration as end:
        told: Overview = end.value
        return told
    finally:
        steps.close()
        if live:
            sys.stderr.write("\r\033[K")


def _print(told: Overview) -> None:
    info = told.info
    held = _count((part.images, "training" if part.name == "train" else part.name) for part in told.parts)
    write(f"{info.title}: {held}, {len(info.classes)} classes")
    for label, value in (("licence", info.licence), ("homepage", info.homepage), ("source", info.source)):
        if value:
            write(f"  {label:9} {value}")
    held = f"decoded to {_times(info.shape)}" if info.files else f"of {_times(info.shape)}"
    write(f"  {'images':9} {held}, {'held in memory' if told.in_memory else 'streamed from the disk'}")
    mean, std = (" ".join(f"{value:.4f}" for value in values) for values in (told.mean, told.std))
    write(f"  {'pixels':9} mean {mean}, std {std}, of {told.measured:,} images")
    balance = "a class has no images" if told.imbalance == float("inf") else f"{told.imbalance:.1f} : 1"
    write(f"  {'balance':9} largest to smallest class {balance}")
    width = max(len(name) for name in info.classes[:_SHOWN])
    for index, name in enumerate(info.classes[:_SHOWN]):
        write(f"  {name:{width}}  " + "  ".join(f"{part.name} {part.counts[index]:,}" for part in told.parts))
    if len(info.classes) > _SHOWN:
        write(f"  and {len(info.classes) - _SHOWN} more classes (--json has them)")
    for title, files in (("left out", told.broken), ("to look at", told.doubtful)):
        for file in files[:_SHOWN]:
            write(f"  {title}: {file.path}: {file.reason}")
        if len(files) > _SHOWN:
            write(f"  {title}: {len(files) - _SHOWN:,} more (--json has them)")


def _published(info: DatasetInfo) -> Iterable[tuple[int, str]]:
    return (info.images, "training"), (info.validation_images, "validation"), (info.test_images, "test")


def _count(parts: Iterable[tuple[int, str]]) -> str:
    return " + ".join(f"{count:,} {kind}" for count, kind in parts if count) + " images"


def _size(info: DatasetInfo) -> str:
    return "any size" if info.files else _times(info.shape)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
