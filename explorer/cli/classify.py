"""`classify`: what is on images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import say, write
from explorer.errors import InputError

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `classify`."""
    command = commands.add_parser("classify", help="say what is on images")
    command.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    command.add_argument("--model", metavar="NAME|RUN_DIR", default="efficientnet_lite0")
    command.add_argument("--top", metavar="N", type=int, default=5)
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_classify)


def _classify(arguments: argparse.Namespace) -> int:
    from explorer.data.images import find_images
    from explorer.inference.classifier import load_classifier

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
        write(json.dumps(documents, ensure_ascii=False))
        return 2 if all(document["error"] for document in documents) else 0
    failed = 0
    for result in results:
        failed += result.error is not None
        if result.error is not None:
            say(f"architecture-explorer: {result.error}")
            continue
        write(result.path)
        for prediction in result.predictions:
            write(f"  {prediction.probability:7.2%}  {prediction.label}")
    return 2 if failed == len(paths) else 0
