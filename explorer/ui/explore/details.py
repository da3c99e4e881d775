"""The side panel: the selected layer in full, or the network's card where none is selected."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QTextBrowser, QVBoxLayout, QWidget

from explorer.architectures.entry import Entry
from explorer.inspection.anatomy import Layer, ReceptiveField
from explorer.inspection.portrait import Portrait
from explorer.inspection.report import value_text
from explorer.ui.explore.input_patch import InputPatch
from explorer.ui.numbers import short_bytes

if TYPE_CHECKING:
    from explorer.inspection.shape_arithmetic import Formula


class Details(QWidget):
    """Text about what is selected, to be selected and copied; below it, what one cell of the layer sees."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QTextBrowser(self)
        self.text.setOpenExternalLinks(True)
        self.text.setAccessibleName("Details")
        self.patch = InputPatch(self)
        self.setMinimumWidth(180)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.patch)

    def toPlainText(self) -> str:
        """Returns all that is written in it."""
        return f"{self.text.toPlainText()}\n{self.patch.text.text()}"

    def clear(self) -> None:
        """Shows nothing."""
        self.text.clear()
        self.patch.show_field(None, ())

    def show_entry(self, entry: Entry) -> None:
        """Shows what the network is about."""
        parts = [f"<h3>{escape(entry.title)}</h3>"]
        if entry.idea.en:
            parts.append(f"<p>{escape(entry.idea.en)}</p>")
        if entry.note.en:
            parts.append(f"<p><b>This version.</b> {escape(entry.note.en)}</p>")
        if entry.published:
            parts.append(f"<p><b>Published numbers.</b> {escape(entry.published[0].source)}</p>")
        made = {"explorer": "Built by this program.", "file": "Built by your own file."}
        parts.append(f"<p>{made.get(entry.implementation, f'Built by {entry.implementation}.')}</p>")
        scale = [f"{channel:.3f}" for channel in entry.mean], [f"{channel:.3f}" for channel in entry.std]
        rows = [
            ("Name", entry.name),
            ("Task", entry.task),
            ("Input", value_text(entry.input)),
            ("Mean", ", ".join(scale[0])),
            ("Std", ", ".join(scale[1])),
        ]
        self.text.setHtml("".join(parts) + _table(rows))
        self.patch.show_field(None, ())

    def show_layer(self, layer: Layer, portrait: Portrait) -> None:
        """Shows everything that is known of one layer."""
        from explorer.inspection.count_arithmetic import explain_counts  # late: nothing is selected at first
        from explorer.inspection.shape_arithmetic import explain_shape

        anatomy = portrait.anatomy
        rows = [("Type", layer.type), ("Place", f"{layer.index + 1:,} of {len(anatomy.layers):,}")]
        if layer.group:
            rows.append(("Within", layer.group))
        if layer.executed:
            rows += [("Input", layer.inputs_label), ("Output", layer.output_label), ("Values", layer.dtype)]
        else:
            rows.append(("Output", "not run in this pass"))
        rows.append(("Parameters", _share(layer.params, anatomy.params)))
        if layer.params != layer.trainable_params:
            rows.append(("Trainable", f"{layer.trainable_params:,}"))
        if layer.buffers:
            rows.append(("Buffers", f"{layer.buffers:,}"))
        rows.append(("MACs", _share(layer.macs, anatomy.macs)))
        rows.append(("Memory", short_bytes(layer.activation_bytes) if layer.activation_bytes else "none of its own"))
        if layer.executed:
            rows += _field_rows(layer.receptive_field)
        settings = [(name.replace("_", " "), value_text(value)) for name, value in layer.hyperparameters]
        text = f"<h3>{escape(layer.name)}</h3>" + _formulas((*explain_shape(layer), *explain_counts(layer)))
        text += _table(rows)
        if settings:
            text += "<h4>Settings</h4>" + _table(settings)
        if layer.inputs:
            sources = ["the input" if i < 0 else anatomy.layers[i].name for i in layer.inputs]
            text += "<h4>Fed by</h4>" + "<br>".join(escape(source) for source in sources)
        self.text.setHtml(text)
        self.patch.show_field(layer.receptive_field, anatomy.inputs[0][2:] if anatomy.inputs else ())


def _field_rows(field: ReceptiveField | None) -> list[tuple[str, str]]:
    if field is None:
        return [("Sees", "no one window of the input")]
    window = value_text(field.size)
    if field.is_global:
        rows = [("Sees", f"global (convolutions alone: {window})" if window else "global: the whole input")]
    else:
        rows = [("Sees", f"{window} input pixels")]
    if window:
        rows += [("Steps of", value_text(field.stride)), ("Starts at", ", ".join(map(str, field.start)))]
    return rows


def _formulas(formulas: Iterable[Formula]) -> str:
    """The arithmetic, each rule below its name: a column of its own would leave it too little room."""
    lines = (f"<p style='margin:0 0 5px 0'>{escape(f.what)}<br><b>{escape(f.text)}</b></p>" for f in formulas)
    text = "".join(lines)
    return f"{text}<hr>" if text else ""


def _share(value: int, total: int) -> str:
    return f"{value:,} ({100 * value / total:.1f} %)" if value and total else f"{value:,}"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f'<tr><td style="padding-right:10px">{escape(k)}</td><td><b>{escape(v)}</b></td></tr>' for k, v in rows)
    return f"<table cellspacing=2>{''.join(cells)}</table>"
