"""The difference of two networks as JSON and as text: the same rows that the window shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from explorer.inspection.anatomy import Layer, shape_text
from explorer.inspection.comparison.diff import Change, Diff, Field, Match
from explorer.inspection.comparison.stages import Stage
from explorer.inspection.portrait import Portrait
from explorer.inspection.report import json_value, value_text

SIGNS = {Change.SAME: "=", Change.CHANGED: "~", Change.ADDED: "+", Change.REMOVED: "−"}
"""So that no reader depends on colours."""
WORDS = {
    "input_shapes": "input",
    "output_shapes": "output",
    "params": "parameters",
    "macs": "MACs",
    "activation_bytes": "memory",
    "executed": "not run in one of them",
}


class Row(NamedTuple):
    """One row of text a match, numbers with separators."""

    sign: str
    type: str
    name_a: str
    output_a: str
    params_a: str
    macs_a: str
    name_b: str
    output_b: str
    params_b: str
    macs_b: str
    delta_params: str
    delta_macs: str
    what: str


HEADER = Row("", "Type", *("Layer", "Output", "Parameters", "MACs") * 2, "Δ parameters", "Δ MACs", "What changed")
LEFT = frozenset((0, 1, 2, 3, 6, 7, 12))
"""Columns of words; the others hold numbers."""


class Total(NamedTuple):
    """One of the figures that sum a network up, for both and their difference."""

    name: str
    a: int
    b: int

    @property
    def delta(self) -> int:
        """The second less the first."""
        return self.b - self.a

    @property
    def share(self) -> str:
        """The difference in per cent of the first; empty where that is nothing."""
        return f"{signed_share(100 * self.delta / self.a)} %" if self.a and self.delta else ""


def totals(diff: Diff) -> tuple[Total, ...]:
    """Returns what the networks have in sum, side by side."""
    a, b = diff.a, diff.b
    return (
        Total("Parameters", a.params, b.params),
        Total("MACs", a.macs, b.macs),
        Total("Bytes of activations", a.activation_bytes, b.activation_bytes),
        Total("Layers", sum(1 for m in diff.layers if m.a), sum(1 for m in diff.layers if m.b)),
    )


def signed(number: int) -> str:
    """Returns `+1,234`, `−1,234` or `0`."""
    return f"{number:+,}".replace("-", "−") if number else "0"


def signed_share(share: float) -> str:
    """Returns a share in per cent with its sign, to three digits where they say something: `+74.3`, `−0.0331`."""
    text = f"{share:+,.1f}" if abs(share) >= 1 else f"{share:+.3g}"
    return text.replace("-", "−")


def counts_text(diff: Diff) -> str:
    """Returns how many layers are the same, changed, added and removed, in words."""
    counts = diff.counts
    if counts[Change.SAME] == len(diff.layers):
        return f"All {len(diff.layers):,} layers are the same"
    numbers = ", ".join(f"{counts[change]:,} {change}" for change in Change)
    return f"Layers: {numbers}"


def heading(portrait: Portrait) -> str:
    """Returns what a network is called beside another: `ResNet-50`, `timm:resnet50`."""
    entry = portrait.entry
    return entry.name if entry.source in ("torchvision", "timm") else entry.title


def failures_text(*portraits: Portrait) -> str:
    """Returns one line on the networks that did not run to their end; empty where all did."""
    texts = [portrait.failure_text for portrait in portraits if portrait.failure_text]
    return f"{'; '.join(texts)}. Only what ran is compared" if texts else ""


def stage_name(stage: Stage) -> str:
    """Returns what a part is called: `layer3`, or both names where they differ."""
    if stage.a and stage.b and stage.a != stage.b:
        return f"{stage.a} → {stage.b}"
    return stage.a or stage.b or "other layers"


def stage_text(stage: Stage) -> str:
    """Returns what became of a part: `+17 Bottleneck`; empty where it is the same."""
    parts = [f"+{count:,} {type_}" for count, type_ in stage.added_parts]
    parts += [f"−{count:,} {type_}" for count, type_ in stage.removed_parts]
    parts += [f"{stage.changed:,} changed"] if stage.changed else []
    return ", ".join(parts)


def row(match: Match) -> Row:
    """Returns a match as it is shown."""
    return Row(
        SIGNS[match.change],
        type_text(match),
        *_side(match.a),
        *_side(match.b),
        signed(match.delta_params) if match.delta_params else "",
        signed(match.delta_macs) if match.delta_macs else "",
        _what(match.fields),
    )


def type_text(match: Match) -> str:
    """Returns the type of a layer, both where another has taken its place."""
    types = [field for field in match.fields if field.name == "type"]
    if types:
        return f"{types[0].a} → {types[0].b}"
    layer = match.a or match.b
    return layer.type if layer else ""


def _side(layer: Layer | None) -> tuple[str, str, str, str]:
    if layer is None:
        return "", "", "", ""
    output = layer.output_label if layer.executed else "not run"
    return layer.name, output, f"{layer.params:,}" if layer.params else "", f"{layer.macs:,}" if layer.macs else ""


def _what(fields: tuple[Field, ...]) -> str:
    """Returns what differs, without what another column says or what follows from it."""
    follows = {"type", "activation_bytes"} if any(field.name == "output_shapes" for field in fields) else {"type"}
    return ", ".join(_field_text(field) for field in fields if field.name not in follows)


def _field_text(field: Field) -> str:
    """Returns what differs, with the values of what no column of its own shows."""
    word = WORDS.get(field.name, field.name.removesuffix("_size"))
    if field.name == "input_shapes":
        return f"{word} {_shapes_text(field.a)} → {_shapes_text(field.b)}"
    if field.name in ("output_shapes", "params", "macs", "executed"):
        return word
    if field.name == "activation_bytes":
        return f"{word} {field.a:,} → {field.b:,} B"
    a, b = ("none" if value is None else value_text(value) for value in (field.a, field.b))
    return f"{word} {a} → {b}"


def _shapes_text(shapes: object) -> str:
    return (", ".join(map(shape_text, shapes)) if isinstance(shapes, tuple) else "") or "none"


# -- documents -----------------------------------------------------------------------------------------------------


def document(a: Portrait, b: Portrait, diff: Diff) -> dict[str, Any]:
    """Returns a comparison as plain values for JSON."""
    result: dict[str, Any] = {
        "a": _sums(a),
        "b": _sums(b),
        "delta": {
            "params": diff.delta_params,
            "macs": diff.delta_macs,
            "activation_bytes": diff.delta_activation_bytes,
        },
        "counts": {change.value: diff.counts[change] for change in Change},
        "stages": [_stage(stage) for stage in diff.stages],
        "layers": [_match(match) for match in diff.layers],
    }
    return result


def _sums(portrait: Portrait) -> dict[str, Any]:
    anatomy = portrait.anatomy
    result: dict[str, Any] = {
        "architecture": portrait.entry.name,
        "title": portrait.entry.title,
        "inputs": [list(shape) for shape in anatomy.inputs],
        "outputs": [list(shape) for shape in anatomy.outputs],
        "params": anatomy.params,
        "macs": anatomy.macs,
        "activation_bytes": anatomy.activation_bytes,
    }
    if portrait.failure_text:
        result["failure"] = portrait.failure_text
    return result


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        "name_a": stage.a,
        "name_b": stage.b,
        "same": stage.same,
        "changed": stage.changed,
        "added": stage.added,
        "removed": stage.removed,
        "added_parts": {type_: count for count, type_ in stage.added_parts},
        "removed_parts": {type_: count for count, type_ in stage.removed_parts},
        "delta_params": stage.delta_params,
        "delta_macs": stage.delta_macs,
        "delta_activation_bytes": stage.delta_activation_bytes,
    }


def _match(match: Match) -> dict[str, Any]:
    layer = match.a or match.b
    return {
        "change": match.change.value,
        "a": match.a.index if match.a else None,
        "b": match.b.index if match.b else None,
        "name_a": match.a.name if match.a else None,
        "name_b": match.b.name if match.b else None,
        "type": layer.type if layer else "",
        "fields": {field.name: [json_value(field.a), json_value(field.b)] for field in match.fields},
        "delta_params": match.delta_params,
        "delta_macs": match.delta_macs,
        "delta_activation_bytes": match.delta_activation_bytes,
    }


def to_text(a: Portrait, b: Portrait, diff: Diff) -> str:
    """Returns the totals side by side, the parts that differ, and the layers that differ, aligned for a terminal."""
    sums = [("", heading(a), heading(b), "Difference", "")]
    sums += [(total.name, f"{total.a:,}", f"{total.b:,}", signed(total.delta), total.share) for total in totals(diff)]
    lines = [*_aligned(sums, left={0}), "", counts_text(diff)]
    differing = [stage for stage in diff.stages if stage_text(stage)]
    if differing:
        table = [("Part", "Δ parameters", "Δ MACs", "What changed")]
        table += [
            (stage_name(stage), signed(stage.delta_params), signed(stage.delta_macs), stage_text(stage))
            for stage in differing
        ]
        lines += ["", *_aligned(table, left={0, 3}, ruled=True)]
        layers = [row(match) for match in diff.layers if match.change is not Change.SAME]
        lines += ["", *_aligned([HEADER, *layers], left=LEFT, ruled=True)]
    return "\n".join(lines) + "\n"


def _aligned(table: Iterable[tuple[str, ...]], left: Iterable[int], ruled: bool = False) -> list[str]:
    """Returns one line a row, columns padded to their widest cell; with a rule below the first where asked."""
    table, left = list(table), frozenset(left)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]
    if ruled:
        lines.insert(1, "-" * len(lines[0]))
    return lines
