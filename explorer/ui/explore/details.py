"""The side panel: the selected layer in full, or the network's card where none is selected."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QSettings, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QTextBrowser, QToolButton, QVBoxLayout, QWidget

from explorer.architectures.cards import families
from explorer.architectures.entry import Entry, Language
from explorer.inspection.anatomy import Layer, ReceptiveField
from explorer.inspection.portrait import Portrait
from explorer.inspection.report import value_text
from explorer.ui.explore.card_text import CHECKS, FAMILY, SETTING, card_html
from explorer.ui.explore.input_patch import InputPatch
from explorer.ui.numbers import short_bytes

if TYPE_CHECKING:
    from explorer.inspection.shape_arithmetic import Formula


CHINESE = ["Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC"]
"""Fonts of Linux, Windows and macOS. Left to look for Chinese signs beside another font, Qt may take bold ones."""


class Details(QWidget):
    """Text about what is selected, to be selected and copied; below it, what one cell of the layer sees."""

    network_wanted = Signal(str)
    """Name of a network that the card leads to."""
    setting_wanted = Signal(object)
    """The `Published` row whose input and options are to be shown."""
    language_changed = Signal()

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._entry: Entry | None = None
        self._portrait: Portrait | None = None
        default = "zh" if QLocale.system().language() == QLocale.Language.Chinese else "en"
        self.language: Language = "zh" if settings.value("explore/card_language", default) == "zh" else "en"
        self.text = QTextBrowser(self)
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._follow)
        self.text.setAccessibleName("Details")
        self.card = QToolButton(self)
        self.card.setText("‹ Card")
        self.card.setToolTip("Back from the layer to the network's card")
        self.card.clicked.connect(self.show_card)
        self.languages = QComboBox(self)
        for language, title in (("en", "English"), ("zh", "中文")):
            self.languages.addItem(title, language)
        self.languages.setCurrentIndex(self.languages.findData(self.language))
        self.languages.setAccessibleName("Language of the card")
        self.languages.setToolTip("Language of the card")
        self.languages.currentIndexChanged.connect(self._choose_language)
        head = QHBoxLayout()
        head.addWidget(self.card)
        head.addStretch(1)
        head.addWidget(self.languages)
        self.patch = InputPatch(self)
        self.setMinimumWidth(180)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.patch)
        self.card.hide()

    def toPlainText(self) -> str:
        """Returns all that is written in it."""
        return f"{self.text.toPlainText()}\n{self.patch.text.text()}"

    def clear(self) -> None:
        """Shows nothing."""
        self._entry = None
        self.card.hide()
        self.text.clear()
        self.patch.show_field(None, ())

    def show_entry(self, entry: Entry, portrait: Portrait | None = None) -> None:
        """Shows what the network is about, and once it is inspected how well it agrees with what has been printed."""
        known = self._entry is not None and self._entry.name == entry.name and self.card.isHidden()
        self._entry, self._portrait = entry, portrait
        place = self.text.verticalScrollBar().value()
        self.show_card()
        if known:  # the same card with other numbers
            self.text.verticalScrollBar().setValue(place)

    def show_card(self) -> None:
        """Shows the card of the network again."""
        if self._entry is None:
            return
        self._write(card_html(self._entry, self._portrait, self.language), self.language)
        self.patch.show_field(None, ())
        self.card.hide()
        self.languages.show()

    def _write(self, html: str, language: Language) -> None:
        font = self.text.font()
        if language == "zh":
            font.setFamilies(CHINESE)
        self.text.document().setDefaultFont(font)
        self.text.setHtml(html)

    def show_checks(self) -> None:
        """Shows the card where it compares measured numbers with printed ones."""
        self.show_card()
        self.text.scrollToAnchor(CHECKS)

    def _choose_language(self) -> None:
        self.language = self.languages.currentData()
        self._settings.setValue("explore/card_language", self.language)
        if not self.card.isVisible():
            self.show_card()
        self.language_changed.emit()

    def _follow(self, link: QUrl) -> None:
        if link.scheme() == FAMILY:
            self.network_wanted.emit(families()[link.path()].name)
        elif link.scheme() == SETTING and self._entry is not None:
            self.setting_wanted.emit(self._entry.published[int(link.path())])
        else:
            QDesktopServices.openUrl(link)

    def show_layer(self, layer: Layer, portrait: Portrait) -> None:
        """Shows everything that is known of one layer."""
        from explorer.inspection.count_arithmetic import explain_counts  # late: nothing is selected at first
        from explorer.inspection.shape_arithmetic import explain_shape

        self.card.show()
        self.languages.hide()
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
        self._write(text, "en")
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
