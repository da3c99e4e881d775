"""`datasets`: what training knows."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from explorer.cli.console import write

if TYPE_CHECKING:
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `datasets`."""
    command = commands.add_parser("datasets", help="datasets that training knows")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_datasets)


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
        write(json.dumps(rows, ensure_ascii=False))
        return 0
    for row in rows:
        size = "×".join(map(str, row["shape"]))  # type: ignore[call-overload]
        state = "here" if row["present"] else f"{row['download_bytes'] / 1e6:.0f} MB to download"  # type: ignore[operator]
        count = f"{row['images']:>6,} + {row['test_images']:>6,} images of {size}"
        write(f"{row['name']:14}  {count:35}  {state:22}  {row['title']}")
    return 0
