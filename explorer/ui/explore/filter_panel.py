"""The filters of the list of networks: ranges, task and idea; and the filters in force, each with a way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.architectures.cards import ideas
from explorer.architectures.entry import Entry
from explorer.inspection.notation import count_text
from explorer.ui.explore.network_filter import NetworkFilter, Range, parse_count, parse_year
from explorer.ui.widgets.flow_layout import FlowLayout
from explorer.ui.widgets.named import named

RangeName = Literal["year", "params", "macs"]
RANGES: tuple[tuple[RangeName, str, Callable[[str], int], str], ...] = (
    ("year", "Year", parse_year, "2015"),
    ("params", "Parameters", parse_count, "25 M"),
    ("macs", "MACs", parse_count, "3.8 G"),
)
_TYPING_MS = 250


class RangeField(QWidget):
    """Two fields, from and to, either of which may be left empty."""

    changed = Signal()

    def __init__(self, title: str, parse: Callable[[str], int], example: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._parse = parse
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.fields: list[QLineEdit] = []
        for side in ("from", "to"):
            field = QLineEdit(self)
            field.setPlaceholderText(side)
            field.setAccessibleName(f"{title} {side}")
            field.setProperty("hint", f"{title} {side}, such as {example}; leave it empty for any")
            field.setMinimumWidth(40)
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            field.textEdited.connect(self.changed)
            if self.fields:
                layout.addWidget(QLabel("–", self))
            layout.addWidget(field, 1)
            self.fields.append(field)
        self.value()

    def value(self) -> Range:
        """Returns the range; a side that cannot be read is open, and says what is wrong with it."""
        return Range(*map(self._read, self.fields))

    def set_value(self, value: Range, text: Callable[[int], str]) -> None:
        """Shows a range without announcing it; what already says so stays as it was typed."""
        if self.value() != value:
            for field, bound in zip(self.fields, (value.least, value.most), strict=True):
                field.setText("" if bound is None else text(bound))
            self.value()

    def _read(self, field: QLineEdit) -> int | None:
        result, problem = None, ""
        if field.text().strip():
            try:
                result = self._parse(field.text())
            except ValueError as error:
                problem = str(error)
        field.setToolTip(problem or str(field.property("hint")))
        if bool(problem) != bool(field.property("wrong")):
            field.setProperty("wrong", bool(problem))
            field.setStyleSheet("color: #d73027" if problem else "")
        return result


class FilterPanel(QFrame):
    """Edits a `NetworkFilter`."""

    changed = Signal()
    closed = Signal()
    """The user is done with it (Escape)."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        named(self, "notice")
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self.ranges: dict[RangeName, RangeField] = {}
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self.changed)
        for row, (name, title, parse, example) in enumerate(RANGES):
            field = RangeField(title, parse, example, self)
            field.changed.connect(self._typing.start)
            label = QLabel(title, self)
            label.setBuddy(field.fields[0])
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
            self.ranges[name] = field
        self.task = self._add_choice(grid, "Task", "any task")
        self.idea = self._add_choice(grid, "Idea", "any idea")

    def stops(self) -> list[QWidget]:
        """Returns its fields in the order in which Tab goes through them."""
        return [*(field for pair in self.ranges.values() for field in pair.fields), self.task, self.idea]

    def offer(self, entries: Iterable[Entry]) -> None:
        """Offers the tasks and ideas of these networks."""
        known = tuple(entries)
        tasks = {entry.task: entry.task.replace("_", " ") for entry in known}
        used = {key for entry in known for key in entry.ideas}
        _fill(self.task, dict(sorted(tasks.items())))
        _fill(self.idea, {key: text.en for key, text in ideas().items() if key in used})

    def value(self) -> NetworkFilter:
        """Returns what is asked for."""
        return NetworkFilter(
            **{name: field.value() for name, field in self.ranges.items()},
            task=self.task.currentData() or "",
            idea=self.idea.currentData() or "",
        )

    def set_value(self, value: NetworkFilter) -> None:
        """Shows a filter without announcing it."""
        self._typing.stop()
        for name, field in self.ranges.items():
            field.set_value(getattr(value, name), str if name == "year" else _count)
        for combo, key in ((self.task, value.task), (self.idea, value.idea)):
            blocked = combo.blockSignals(True)
            combo.setCurrentIndex(max(combo.findData(key), 0))
            combo.blockSignals(blocked)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def _add_choice(self, grid: QGridLayout, title: str, none: str) -> QComboBox:
        combo = QComboBox(self)
        combo.addItem(none, "")
        combo.setAccessibleName(title)
        combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        combo.currentIndexChanged.connect(self.changed)
        label = QLabel(title, self)
        label.setBuddy(combo)
        row = grid.rowCount()
        grid.addWidget(label, row, 0)
        grid.addWidget(combo, row, 1)
        return combo


class FilterSummary(QWidget):
    """How many networks are shown, and each filter in force as a button that ends it."""

    changed = Signal(object)
    """The `NetworkFilter` that is left."""
    cleared = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.count = named(QLabel(self), "muted")
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.count.setWordWrap(True)
        self.clear = QToolButton(self)
        self.clear.setText("Clear")
        self.clear.setToolTip("Show all networks again")
        self.clear.clicked.connect(self.cleared)
        self.chips: list[QToolButton] = []
        self._flow_box = QWidget(self)
        self._flow = FlowLayout(self._flow_box)
        self._flow.setSpacing(3)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.count, 1)
        line.addWidget(self.clear, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self._flow_box)
        layout.addLayout(line)

    def say(self, wanted: NetworkFilter, shown: int, total: int, unknown: int) -> None:
        """Shows the filters in force and the counts.

        Args:
            wanted: the filters.
            shown: number of networks that pass.
            total: number of networks.
            unknown: how many are hidden only because their year or counts are not known.
        """
        text = f"{shown:,} of {total:,} networks"
        if unknown:
            text += f"; {unknown:,} hidden, year or counts unknown"
        self.count.setText(text)
        for chip in self.chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = []
        for label, left in _parts(wanted):
            chip = _Chip(label, left, self._flow_box)
            chip.removed.connect(self.changed)
            self._flow.addWidget(chip)
            chip.show()
            self.chips.append(chip)
        self._flow_box.setVisible(bool(self.chips))
        self._flow_box.updateGeometry()


class _Chip(QToolButton):
    """One filter in force."""

    removed = Signal(object)

    def __init__(self, text: str, left: NetworkFilter, parent: QWidget) -> None:
        super().__init__(parent)
        self._left = left
        self.setToolTip(f"Remove the filter “{text}”")
        self.setAccessibleName(f"Remove the filter {text}")
        self.setText(f"{self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 160)}  ✕")
        self.clicked.connect(self._remove)

    def _remove(self) -> None:
        self.removed.emit(self._left)


def _parts(wanted: NetworkFilter) -> list[tuple[str, NetworkFilter]]:
    """Returns the text of each filter in force, and the filters without it."""
    found: list[tuple[str, NetworkFilter]] = []
    if wanted.year:
        found.append((_range_text(wanted.year, str), replace(wanted, year=Range())))
    if wanted.params:
        found.append((f"{_range_text(wanted.params, _count)} parameters", replace(wanted, params=Range())))
    if wanted.macs:
        found.append((f"{_range_text(wanted.macs, _count)} MACs", replace(wanted, macs=Range())))
    if wanted.task:
        found.append((wanted.task.replace("_", " "), replace(wanted, task="")))
    if wanted.idea:
        found.append((ideas()[wanted.idea].en, replace(wanted, idea="")))
    return found


def _count(value: int) -> str:
    return re.sub(r"\.0+ ", " ", count_text(value))


def _range_text(value: Range, text: Callable[[int], str]) -> str:
    if value.least is None or value.most is None:
        return f"≥ {text(value.least)}" if value.least is not None else f"≤ {text(value.most or 0)}"
    return text(value.least) if value.least == value.most else f"{text(value.least)} – {text(value.most)}"


def _fill(combo: QComboBox, choices: dict[str, str]) -> None:
    """Offers the choices below the first line, which stands for any; the choice stays where it is still there."""
    chosen = combo.currentData()
    blocked = combo.blockSignals(True)
    while combo.count() > 1:
        combo.removeItem(1)
    for key, text in choices.items():
        combo.addItem(text, key)
    combo.setCurrentIndex(max(combo.findData(chosen), 0))
    combo.blockSignals(blocked)
