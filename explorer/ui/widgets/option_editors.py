"""An editor for each kind of option, all with the same three verbs: read, set, changed."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QSpinBox, QWidget

from explorer.architectures.options import Option, Scalar
from explorer.ui.widgets.number_box import NumberBox


class OptionEditor(QWidget):
    """Lets the user change one option."""

    changed = Signal()

    def __init__(self, option: Option, value: Scalar, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.option = option
        self.field = self._make(option)
        self.field.setToolTip(option.help)
        self.field.setAccessibleName(option.name.replace("_", " "))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.field)
        self.setFocusProxy(self.field)
        self.set_value(value)

    def _make(self, option: Option) -> QWidget:
        if option.type is bool:
            check = QCheckBox(self)
            check.toggled.connect(self.changed)
            return check
        if option.choices:
            combo = QComboBox(self)
            combo.addItems(option.choices)
            combo.currentIndexChanged.connect(self.changed)
            return combo
        if option.type is int:
            spin = QSpinBox(self)
            spin.setRange(int(option.minimum or 0), int(option.maximum if option.maximum is not None else 2**31 - 1))
            spin.setGroupSeparatorShown(True)
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self.changed)
            return spin
        if option.type is float:
            number = NumberBox(self)
            number.setRange(option.minimum if option.minimum is not None else -1e9, option.maximum or 1e9)
            number.valueChanged.connect(self.changed)
            return number
        text = QLineEdit(self)
        text.editingFinished.connect(self.changed)
        return text

    def value(self) -> Scalar:
        """Returns what the user chose."""
        field = self.field
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, QComboBox):
            return field.currentText()
        if isinstance(field, QSpinBox):
            return field.value()
        if isinstance(field, NumberBox):
            return field.value()
        assert isinstance(field, QLineEdit)
        return field.text()

    def set_value(self, value: Scalar) -> None:
        """Shows a value without announcing it."""
        field = self.field
        blocked = field.blockSignals(True)
        if isinstance(field, QCheckBox):
            field.setChecked(bool(value))
        elif isinstance(field, QComboBox):
            field.setCurrentText(str(value))
        elif isinstance(field, QSpinBox):
            field.setValue(int(value))
        elif isinstance(field, NumberBox):
            field.setValue(float(value))
        elif isinstance(field, QLineEdit):
            field.setText(str(value))
        field.blockSignals(blocked)
