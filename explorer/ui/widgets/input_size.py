"""Channels, height and width of a network's input, as three spin boxes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget


class InputSize(QWidget):
    """An editor for `C × H × W`."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.boxes: list[QSpinBox] = []
        for name, highest in (("channels", 4096), ("height", 16384), ("width", 16384)):
            if self.boxes:
                layout.addWidget(QLabel("×", self))
            box = QSpinBox(self)
            box.setRange(1, highest)
            box.setKeyboardTracking(False)
            box.setAccessibleName(f"Input {name}")
            box.setToolTip(f"Input {name}")
            box.valueChanged.connect(self.changed)
            self.boxes.append(box)
            layout.addWidget(box)

    def value(self) -> tuple[int, int, int]:
        """Returns (channels, height, width)."""
        channels, height, width = (box.value() for box in self.boxes)
        return channels, height, width

    def set_value(self, size: tuple[int, int, int]) -> None:
        """Shows a size without announcing it."""
        for box, value in zip(self.boxes, size, strict=True):
            blocked = box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(blocked)
