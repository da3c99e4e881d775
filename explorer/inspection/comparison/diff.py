"""What two networks have in common and where they differ, layer by layer and in sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.comparison import alignment
from explorer.inspection.comparison.likeness import Likeness, gap_costs
from explorer.inspection.comparison.role import input_shapes, is_placeholder, plain, role
from explorer.inspection.comparison.stages import Stage, stages


class Change(StrEnum):
    """What became of a layer on the way from the first network to the second."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing in which two layers of the same role differ."""

    name: str
    """A hyperparameter's name, or that of a field of `Layer`."""
    a: object
    b: object


@dataclass(frozen=True, slots=True)
class Match:
    """A layer of the first network and its counterpart in the second, or one of them alone."""

    a: Layer | None
    b: Layer | None
    fields: tuple[Field, ...] = ()
    """What differs; empty unless both are there."""

    @property
    def change(self) -> Change:
        """What became of the layer."""
        if self.a is None:
            return Change.ADDED
        if self.b is None:
            return Change.REMOVED
        return Change.CHANGED if self.fields else Change.SAME

    @property
    def delta_params(self) -> int:
        """Parameters of the second less those of the first."""
        return (self.b.params if self.b else 0) - (self.a.params if self.a else 0)

    @property
    def delta_macs(self) -> int:
        """Multiply–accumulate operations of the second less those of the first."""
        return (self.b.macs if self.b else 0) - (self.a.macs if self.a else 0)

    @property
    def delta_activation_bytes(self) -> int:
        """Bytes of new output of the second less those of the first."""
        return (self.b.activation_bytes if self.b else 0) - (self.a.activation_bytes if self.a else 0)


@dataclass(frozen=True, slots=True)
class Diff:
    """Two networks side by side. The differences of its layers sum to those of the totals."""

    a: Anatomy
    b: Anatomy
    layers: tuple[Match, ...]
    """In execution order, each layer of either network once; an `Identity`, which does nothing, is left out."""
    stages: tuple[Stage, ...]
    """The same, summed over the parts of which the networks are made."""

    @property
    def delta_params(self) -> int:
        """Parameters of the second less those of the first."""
        return self.b.params - self.a.params

    @property
    def delta_macs(self) -> int:
        """Multiply–accumulate operations of the second less those of the first."""
        return self.b.macs - self.a.macs

    @property
    def delta_activation_bytes(self) -> int:
        """Bytes of activations of the second less those of the first."""
        return self.b.activation_bytes - self.a.activation_bytes

    @property
    def counts(self) -> Counter[Change]:
        """How many layers are the same, changed, added, removed."""
        return Counter(match.change for match in self.layers)

    def mirrored(self) -> Diff:
        """Returns the same comparison the other way round."""
        layers = [
            Match(match.b, match.a, tuple(Field(field.name, field.b, field.a) for field in match.fields))
            for match in self.layers
        ]
        return Diff(self.b, self.a, tuple(_removed_first(layers)), tuple(stage.mirrored() for stage in self.stages))


def diff(a: Anatomy, b: Anatomy) -> Diff:
    """Compares two networks.

    Layers are matched by what they do and where along the network they do it; names, which differ from one author to
    the next, only decide between equals. `diff(b, a)` is `diff(a, b)` the other way round.
    """
    if _rank(b) < _rank(a):  # whichever comes first: the same of several equally good matchings is found
        return diff(b, a).mirrored()
    left, right = ([layer for layer in side.layers if not is_placeholder(layer)] for side in (a, b))
    pairs = alignment.align(
        alignment.Sequence(*gap_costs(left, a)),
        alignment.Sequence(*gap_costs(right, b)),
        Likeness(left, right, (a, b)),
    )
    layers = tuple(_match(None if i is None else left[i], None if j is None else right[j]) for i, j in pairs)
    return Diff(a, b, layers, stages(a, b, [(match.a, match.b, bool(match.fields)) for match in layers]))


def _rank(anatomy: Anatomy) -> tuple[object, ...]:
    return len(anatomy.layers), anatomy.params, anatomy.macs, [layer.name for layer in anatomy.layers]


def _match(a: Layer | None, b: Layer | None) -> Match:
    return Match(a, b, tuple(_fields(a, b)) if a is not None and b is not None else ())


_SHAPES_TELL = ("num_features", "in_features", "out_features", "inplace")
"""Hyperparameters that say again what the shapes, or the bytes of the output, say."""
_COMPARED = ("output_shapes", "params", "macs", "activation_bytes", "executed")


def _fields(a: Layer, b: Layer) -> Iterator[Field]:
    """What differs between two layers: type, hyperparameters, shapes, numbers."""
    if role(a) != role(b):
        yield Field("type", a.type, b.type)
    ours, theirs = dict(a.hyperparameters), dict(b.hyperparameters)
    for name in dict.fromkeys([*ours, *theirs]):
        # A module tells all of its settings, the operation that does the same only what it was called with.
        told = a.type == b.type or (name in ours and name in theirs)
        if told and name not in _SHAPES_TELL and plain(ours.get(name)) != plain(theirs.get(name)):
            yield Field(name, ours.get(name), theirs.get(name))
    if input_shapes(a) != input_shapes(b):
        yield Field("input_shapes", a.input_shapes, b.input_shapes)
    for name in _COMPARED:
        if getattr(a, name) != getattr(b, name):
            yield Field(name, getattr(a, name), getattr(b, name))


def _removed_first(layers: list[Match]) -> Iterator[Match]:
    """Puts what is removed before what is added wherever the two meet."""
    added: list[Match] = []
    for match in layers:
        if match.change is Change.ADDED:
            added.append(match)
            continue
        if match.change is not Change.REMOVED:
            yield from added
            added.clear()
        yield match
    yield from added
