"""An editor for numbers of any size: shows 0.05 and 1e-07 as they are written."""

from __future__ import annotations

from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QWidget

DIGITS = 9


class NumberBox(QDoubleSpinBox):
    """A spin box without a fixed number of decimals; its steps fit the size of the number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDecimals(15)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:
        return f"{value:.{DIGITS}g}"

    def valueFromText(self, text: str) -> float:
        return float(text.replace(",", "."))

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        try:
            inside = self.minimum() <= self.valueFromText(text) <= self.maximum()
        except ValueError:
            inside = False
            if text.strip("0123456789.,eE+-"):
                return QValidator.State.Invalid, text, place
        return (QValidator.State.Acceptable if inside else QValidator.State.Intermediate), text, place

    def stepBy(self, steps: int) -> None:
        before = self.value()
        # An adaptive step is a tenth of the number's last power of ten, which is 1e-15 at nought.
        self.setValue(float(f"{before + steps * self._step(before, steps):.{DIGITS}g}"))

    def _step(self, value: float, steps: int) -> float:
        if not value:
            return min(0.01, (self.maximum() - self.minimum()) / 10)
        exponent = int(f"{abs(value):e}".partition("e")[2])
        if steps * value < 0 and float(f"1e{exponent}") == abs(value):  # from 0.1 down to 0.09
            exponent -= 1
        return float(f"1e{exponent - 1}") if exponent > -12 else 1e-12
