"""What the catalogue says of a network without building it: records of plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from explorer.architectures.options import Scalar

Source = Literal["explorer", "torchvision", "timm", "file"]
Language = Literal["en", "zh"]

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class Text:
    """The same in English and in Simplified Chinese; either may be empty."""

    en: str = ""
    zh: str = ""

    def to(self, language: Language) -> str:
        """Returns the text in that language, in English where it is not translated."""
        return self.zh if language == "zh" and self.zh else self.en


@dataclass(frozen=True, slots=True)
class Figure:
    """A count as its source prints it: the digits tell how exact it is."""

    printed: str
    """`25,557,032`, `25.6 M`, `3.8 G`."""

    @property
    def value(self) -> int:
        """The count that is printed."""
        return round(self._parts()[0])

    def agrees(self, measured: int) -> bool:
        """Returns whether a count can be the printed one, rounded or cut to its digits."""
        value, unit = self._parts()
        return abs(measured - value) < unit

    def _parts(self) -> tuple[Fraction, Fraction]:
        """Returns the count and one unit of its last digit."""
        found = re.fullmatch(r"(\d[\d,]*)(?:\.(\d+))?\s*([KMGTkmgt]?)", self.printed)
        if found is None:
            raise ValueError(f"{self.printed!r} is not a count: write it as 25,557,032, 25 M or 3.8 G")
        whole, decimals, letter = found.groups(default="")
        unit = Fraction(UNITS[letter.upper()], 10 ** len(decimals))
        return int(whole.replace(",", "") + decimals) * unit, unit


@dataclass(frozen=True, slots=True)
class Published:
    """Numbers that one source prints for a network at one input size and one choice of options."""

    source: str
    params: Figure | None = None
    macs: Figure | None = None
    """Multiply–accumulate operations, whatever the source calls them."""
    others: tuple[tuple[str, str], ...] = ()
    """Names and values of what is not measured here: errors, signal-to-noise ratios."""
    why: Text = Text()
    """Why measured numbers differ from these, where they do."""
    input: tuple[int, int, int] | None = None
    """Where not the canonical one."""
    options: tuple[tuple[str, Scalar], ...] = ()
    """What is not at its default."""

    def document(self) -> dict[str, str | int | None]:
        """Returns the counts as plain values for JSON."""
        return {
            "params": self.params.value if self.params else None,
            "macs": self.macs.value if self.macs else None,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """What a source says of the output of a part of the network."""

    name: str
    """The source's name of it: `conv2_x`."""
    path: str
    """Dotted path of the module or operation that gives it."""
    shape: tuple[int, ...]
    """`(C, H, W)` or `(features,)`."""
    why: Text = Text()
    """Why the measured shape differs, where it does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A network as the catalogue describes it, without building it."""

    name: str
    """`resnet50`, `torchvision:resnet50`, `timm:resnet50` or `path/to/file.py:callable`."""
    source: Source
    """Which part of the catalogue lists it."""
    implementation: Source
    """Whose code builds it."""
    title: str
    task: str
    input: tuple[int, int, int]
    """Canonical input: channels, height, width."""
    mean: tuple[float, ...]
    """Input normalisation per channel, on the 0–1 scale."""
    std: tuple[float, ...]
    other_inputs: tuple[tuple[int, ...], ...] = ()
    """Shapes, without the batch, of what it takes besides."""
    file: str = ""
    """Name of the family's card and of the module that builds it; empty for what has no card."""
    family: str = ""
    year: int | None = None
    authors: str = ""
    venue: str = ""
    paper: str = ""
    link: str = ""
    ancestors: tuple[str, ...] = ()
    """Files of the families that its own grew out of, the most important one first."""
    ideas: tuple[str, ...] = ()
    """Keys of `cards.ideas()`, the most important one first."""
    idea: Text = Text()
    changed: Text = Text()
    """What it changed over its ancestors."""
    look: Text = Text()
    """What to look at in the shape flow."""
    note: Text = Text()
    """Where this version departs from the paper, or why numbers differ."""
    published: tuple[Published, ...] = ()
    """What others have printed; the first row holds for exactly this network."""
    stages: tuple[Stage, ...] = ()
    stages_from: str = ""
    """Source of the shapes of the stages."""
