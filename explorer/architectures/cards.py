"""The architecture cards: `resources/cards/FAMILY.toml` tells of a family and of each of its networks.

Reading them needs neither torch nor a network, so that the catalogue is there before anything is built.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli  # tomllib, compiled: the cards are read on the way to the first list of networks

from explorer.architectures.entry import Entry, Figure, Published, Stage, Text
from explorer.resources import resource


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """Returns the explorer's own entries, oldest first.

    Raises:
        ValueError: a card is incomplete, or two claim the same name.
    """
    found: dict[str, Entry] = {}
    for path in sorted(resource("cards").glob("*.toml")):
        for entry in read_card(path.stem, path.read_text(encoding="utf-8")):
            if entry.name in found:
                raise ValueError(f"{path.name} defines {entry.name!r} a second time")
            found[entry.name] = entry
    return tuple(sorted(found.values(), key=lambda entry: entry.year or 0))


def read_card(file: str, text: str) -> list[Entry]:
    """Returns the entries of the variants that a family's card describes.

    Args:
        file: name of the card, without its ending.
        text: the card, in TOML; what a variant says goes before what its family says.

    Raises:
        ValueError: what is missing, or is not as it should be.
    """
    family = tomli.loads(text)
    chinese = family.get("zh", {})
    result = []
    for name, variant in family["variants"].items():
        try:
            result.append(_entry(file, name, {**family, **variant}, {**chinese, **variant.get("zh", {})}))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"card {file}.toml, {name}: {error!r}") from error
    return result


def _entry(file: str, name: str, fields: Mapping[str, Any], chinese: Mapping[str, str]) -> Entry:
    def text(key: str) -> Text:
        return Text(_line(fields.get(key, "")), _line(chinese.get(key, "")))

    return Entry(
        name=name,
        source="explorer",
        implementation=fields["implementation"],
        title=fields["title"],
        task=fields["task"],
        input=tuple(fields["input"]),
        mean=_per_channel(fields["mean"], fields["input"][0]),
        std=_per_channel(fields["std"], fields["input"][0]),
        other_inputs=tuple(tuple(shape) for shape in fields.get("other_inputs", ())),
        file=file,
        family=fields["family"],
        year=fields["year"],
        authors=fields["authors"],
        venue=fields.get("venue", ""),
        paper=fields["paper"],
        link=fields["link"],
        ancestors=tuple(fields.get("ancestors", ())),
        ideas=tuple(fields.get("ideas", ())),
        idea=text("idea"),
        changed=text("changed"),
        look=text("look"),
        note=Text(_line(fields.get("note", "")), _line(fields.get("note_zh", ""))),
        published=tuple(_published(row) for row in fields.get("published", ())),
        stages=tuple(
            Stage(stage, path, tuple(shape), Text(*why)) for stage, path, shape, *why in fields.get("stages", ())
        ),
        stages_from=fields.get("stages_from", ""),
    )


def _per_channel(values: list[float], channels: int) -> tuple[float, ...]:
    """Returns a value for each channel; one alone is that of all."""
    return tuple(values * channels if len(values) == 1 else values)


def _published(row: Mapping[str, Any]) -> Published:
    unknown = row.keys() - {"source", "params", "macs", "figures", "why", "why_zh", "input", "options"}
    if unknown:
        raise ValueError(f"a row of published numbers has no {', '.join(sorted(unknown))}")
    figures = [Figure(row[key]) if key in row else None for key in ("params", "macs")]
    return Published(
        source=row["source"],
        params=figures[0],
        macs=figures[1],
        others=tuple(row.get("figures", {}).items()),
        why=Text(_line(row.get("why", "")), _line(row.get("why_zh", ""))),
        input=tuple(row["input"]) if "input" in row else None,
        options=tuple(row.get("options", {}).items()),
    )


@functools.cache  # a family's texts are those of each of its networks
def _line(text: str) -> str:
    """Returns text of several lines as one; between Chinese signs a break is no space."""
    if "\n" not in text:
        return text
    joined = re.sub(
        r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*|\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])", "", text.strip()
    )
    return re.sub(r"\s*\n\s*", " ", joined)


@functools.cache
def ideas() -> dict[str, Text]:
    """Returns the ideas by which networks are found, by key."""
    return _texts(resource("ideas.toml"))


@functools.cache
def words() -> dict[str, Text]:
    """Returns the words around a card's texts, by key."""
    return _texts(resource("card_words.toml"))


def _texts(path: Path) -> dict[str, Text]:
    return {key: Text(*pair) for key, pair in tomli.loads(path.read_text(encoding="utf-8")).items()}


@functools.cache
def families() -> dict[str, Entry]:
    """Returns the first network of every family, by file, the oldest family first."""
    found: dict[str, Entry] = {}
    for entry in catalogue():
        found.setdefault(entry.file, entry)
    return found


def descendants(file: str) -> tuple[str, ...]:
    """Returns the files of the families that name this one among their ancestors, oldest first."""
    return tuple(name for name, entry in families().items() if file in entry.ancestors)
