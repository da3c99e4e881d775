"""`list`: the networks that can be shown and trained."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from explorer.cli.console import write

if TYPE_CHECKING:
    from explorer.architectures.entry import Entry
    from explorer.cli.console import Commands


def add(commands: Commands) -> None:
    """Adds `list`."""
    command = commands.add_parser("list", help="names of the networks that can be shown and trained")
    command.add_argument("--source", choices=("explorer", "torchvision", "timm", "all"), default="explorer")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=_list)


def _list(arguments: argparse.Namespace) -> int:
    from explorer.architectures.cards import catalogue
    from explorer.architectures.registry import library_entries

    entries: list[Entry] = []
    if arguments.source in ("explorer", "all"):
        entries += catalogue()
    for library in ("torchvision", "timm"):
        if arguments.source in (library, "all"):
            entries += library_entries(library)
    if arguments.json:
        write(json.dumps([_entry_document(entry) for entry in entries], ensure_ascii=False))
        return 0
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        size = "×".join(map(str, entry.input))
        year = str(entry.year or "")
        title = entry.title if entry.source == "explorer" else ""
        write(f"{entry.name:{width}}  {year:4}  {size:12}  {title}".rstrip())
    return 0


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "source": entry.source,
        "implementation": entry.implementation,
        "title": entry.title,
        "family": entry.family,
        "year": entry.year,
        "authors": entry.authors,
        "venue": entry.venue,
        "paper": entry.paper,
        "link": entry.link,
        "task": entry.task,
        "input": list(entry.input),
        "mean": list(entry.mean),
        "std": list(entry.std),
        "ancestors": list(entry.ancestors),
        "ideas": list(entry.ideas),
        "idea": entry.idea.en,
        "published": entry.published[0].document() if entry.published else None,
    }
