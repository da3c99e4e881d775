"""An anatomy as JSON, CSV, Markdown or plain text: the same rows that the window shows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from explorer.architectures.surgery.steps import base_of
from explorer.inspection.anatomy import Anatomy, Layer, ReceptiveField
from explorer.inspection.conformance import check_text, checks
from explorer.inspection.memory import TrainingSetup
from explorer.inspection.memory_report import memory_document, memory_lines
from explorer.inspection.portrait import Portrait, original_totals

HEADER = ("#", "Layer", "Type", "Hyperparameters", "Input", "Output", "Parameters", "MACs", "Bytes", "Receptive field")


def document(portrait: Portrait, setup: TrainingSetup | None = None) -> dict[str, Any]:
    """Returns the network as plain values for JSON; published numbers only where they hold for it.

    Args:
        portrait: the network.
        setup: of a step of training whose memory is asked for, which takes as long as the rest again or longer.
    """
    entry, anatomy, published = portrait.entry, portrait.anatomy, portrait.published
    original = original_totals(portrait)
    result: dict[str, Any] = {
        "architecture": entry.name,
        "source": entry.implementation,
        "title": entry.title,
        "inputs": [list(shape) for shape in anatomy.inputs],
        "outputs": [list(shape) for shape in anatomy.outputs],
        "params": anatomy.params,
        "trainable_params": anatomy.trainable_params,
        "macs": anatomy.macs,
        "activation_bytes": anatomy.activation_bytes,
        "original": original and {"architecture": base_of(entry.name), **asdict(original)},
        "memory": memory_document(portrait, setup),
        "published": published[0].document() if published else None,
        "conformance": [{**asdict(check), "why": check.why.en} for check in checks(portrait)],
        "note": entry.note.en,
        "layers": [_layer(layer) for layer in anatomy.layers],
    }
    if anatomy.failure is not None:
        result["failure"] = {
            "layer": anatomy.failure.layer,
            "type": anatomy.failure.type,
            "input_shapes": [list(shape) for shape in anatomy.failure.input_shapes],
            "message": anatomy.failure.message,
        }
    return result


def _layer(layer: Layer) -> dict[str, Any]:
    field = layer.receptive_field
    return {
        "index": layer.index,
        "name": layer.name,
        "type": layer.type,
        "inputs": list(layer.inputs),
        "input_shapes": [list(shape) for shape in layer.input_shapes],
        "output_shapes": [list(shape) for shape in layer.output_shapes],
        "dtype": layer.dtype,
        "params": layer.params,
        "trainable_params": layer.trainable_params,
        "macs": layer.macs,
        "activation_bytes": layer.activation_bytes,
        "receptive_field": None if field is None else "global" if field.is_global else list(field.size),
        "hyperparameters": {name: json_value(value) for name, value in layer.hyperparameters},
        "executed": layer.executed,
    }


def json_value(value: object) -> object:
    """Returns a hyperparameter as JSON can hold it, which knows no infinity."""
    if isinstance(value, tuple):
        return [json_value(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def value_text(value: object) -> str:
    """Returns one hyperparameter's value as the field writes it: `3×3` for `(3, 3)`, `0.1` for a float."""
    if isinstance(value, tuple):
        return "×".join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_text(layer: Layer) -> str:
    """Returns a layer's hyperparameters on one line: `kernel 7×7, stride 2×2, padding 3×3`."""
    return ", ".join(f"{name.removesuffix('_size')} {value_text(value)}" for name, value in layer.hyperparameters)


def field_text(field: ReceptiveField | None) -> str:
    """Returns a receptive field's size as text: `7×7`, `global`; empty where there is none."""
    return "" if field is None else "global" if field.is_global else value_text(field.size)


def rows(layers: Iterable[Layer]) -> list[tuple[str, ...]]:
    """Returns one row of text a layer, in the order of `HEADER`, numbers without separators."""
    return [
        (
            str(layer.index),
            layer.name,
            layer.type,
            settings_text(layer),
            layer.inputs_label,
            layer.output_label if layer.executed else "not run",
            str(layer.params),
            str(layer.macs),
            str(layer.activation_bytes),
            field_text(layer.receptive_field),
        )
        for layer in layers
    ]


def totals(anatomy: Anatomy) -> tuple[str, ...]:
    """Returns the totals as one more row."""
    sums = (str(anatomy.params), str(anatomy.macs), str(anatomy.activation_bytes))
    return ("", "Total", "", "", "", "", *sums, "")


def change_text(after: int, before: int) -> str:
    """Returns how a count has changed: `+2,530,992 (+9.9 %)`."""
    share = f" ({100 * (after - before) / before:+.1f} %)" if before else ""
    return f"{after - before:+,}{share}"


def to_csv(anatomy: Anatomy) -> str:
    """Returns the layer table as comma-separated values, with a header and without totals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows(anatomy.layers))
    return text.getvalue()


def to_markdown(anatomy: Anatomy) -> str:
    """Returns the layer table in Markdown, totals in the last row."""
    lines: list[tuple[str, ...]] = [HEADER, ("--:", "---", "---", "---", "---", "---", "--:", "--:", "--:", "--:")]
    lines += [*rows(anatomy.layers), totals(anatomy)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def to_text(portrait: Portrait, setup: TrainingSetup | None = None) -> str:
    """Returns a summary and the layer table, aligned for a terminal; with the memory of a step of training if asked."""
    anatomy = portrait.anatomy
    table: list[tuple[str, ...]] = [HEADER, *rows(anatomy.layers), totals(anatomy)]
    table = [(*row[:6], *map(_grouped, row[6:9]), row[9]) for row in table]
    widths = [min(max(len(row[column]) for row in table), 60) for column in range(len(HEADER))]
    right = {0, 6, 7, 8, 9}
    lines = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    lines.insert(-1, lines[1])
    return "\n".join([*_summary(portrait, setup), "", *lines]) + "\n"


def _grouped(digits: str) -> str:
    return f"{int(digits):,}" if digits.isdigit() else digits


def _summary(portrait: Portrait, setup: TrainingSetup | None) -> list[str]:
    entry, anatomy = portrait.entry, portrait.anatomy
    parts = [entry.title, str(entry.year or ""), entry.authors, entry.link]
    lines = [" · ".join(part for part in parts if part)]
    lines.append(
        f"{anatomy.params:,} parameters · {anatomy.macs:,} MACs · {anatomy.activation_bytes:,} bytes of activations"
    )
    original = original_totals(portrait)
    if original is not None:
        lines.append(
            f"Changed from {base_of(entry.name)}: {change_text(anatomy.params, original.params)} parameters, "
            f"{change_text(anatomy.macs, original.macs)} MACs"
        )
    lines += [check_text(check) for check in checks(portrait)]
    lines += memory_lines(portrait, setup)
    if entry.note.en:
        lines.append(entry.note.en)
    return lines
