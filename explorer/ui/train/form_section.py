"""The parts of a form: a setting with its label and what is wrong with it, and a section that can be folded."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from explorer.architectures.options import Option, Scalar
from explorer.ui.widgets.named import named
from explorer.ui.widgets.option_editors import OptionEditor


class Setting(QWidget):
    """One setting: its editor, its label, and below it what is wrong."""

    changed = Signal()

    def __init__(self, option: Option, parent: QWidget) -> None:
        super().__init__(parent)
        self.option = option
        self.usual = option.default
        """The value that the label's menu goes back to; any other is marked."""
        self.editor = OptionEditor(option, option.default, self)
        words = option.name.replace("_", " ")
        self.label = QLabel(words[0].upper() + words[1:], self)
        self.label.setToolTip(option.help)
        self.label.setBuddy(self.editor)
        self.label.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.label.customContextMenuRequested.connect(self._show_menu)
        self.error = named(QLabel(self), "fieldError")
        self.error.setWordWrap(True)
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._row = QHBoxLayout()
        self._row.addWidget(self.editor, 1)
        column.addLayout(self._row)
        column.addWidget(self.error)
        self.editor.changed.connect(self._changed)
        if isinstance(self.editor.field, QComboBox):
            self.editor.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if isinstance(self.editor.field, QLineEdit):
            self.editor.field.setMinimumWidth(60)
        leave_wheel_to_form(self.editor.field, self)

    def add_button(self, text: str, tip: str) -> QPushButton:
        """Puts a button beside the editor and returns it."""
        button = QPushButton(text, self)
        button.setToolTip(tip)
        self._row.addWidget(button)
        return button

    def value(self) -> Scalar:
        """Returns what the user chose."""
        return self.editor.value()

    def set_value(self, value: Scalar) -> None:
        """Shows a value without announcing it."""
        self.editor.set_value(value)
        self._mark()

    def set_usual(self, value: Scalar) -> None:
        """Sets the value that is not marked."""
        self.usual = value
        self._mark()

    @property
    def unusual(self) -> bool:
        """Whether it differs from the usual value."""
        return self.value() != self.usual

    def say(self, error: str) -> None:
        """Shows what is wrong; nothing for an empty text."""
        self.error.setText(error)
        self.error.setVisible(bool(error))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return ignores_wheel(watched, event) or super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._mark()  # a style sheet takes the label's font away when the form comes into another window

    def _changed(self) -> None:
        self._mark()
        self.changed.emit()

    def _mark(self) -> None:
        font = self.label.font()
        font.setBold(self.unusual)
        self.label.setFont(font)
        usual = f"usually {self.usual!s}" if self.usual != "" else ""
        self.label.setToolTip("\n".join(filter(None, (self.option.help, usual if self.unusual else ""))))

    def _show_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        reset = menu.addAction(f"Back to {self.usual if self.usual != '' else 'nothing'}")
        reset.setEnabled(self.unusual)
        reset.triggered.connect(self.reset)
        menu.popup(self.label.mapToGlobal(place))

    def reset(self) -> None:
        """Goes back to the usual value."""
        self.set_value(self.usual)
        self.changed.emit()


def leave_wheel_to_form(field: QWidget, watcher: QObject) -> None:
    """Has the wheel scroll the form past an editor that does not have the focus."""
    if isinstance(field, QAbstractSpinBox | QComboBox):
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(watcher)


def ignores_wheel(watched: QObject, event: QEvent) -> bool:
    """Returns whether an event is a turn of the wheel over an editor without the focus, which is to be ignored."""
    if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
        event.ignore()
        return True
    return False


class Section(QWidget):
    """A heading and settings below it; folded, it shows the basic ones and those that are not as usual."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.settings: dict[str, Setting] = {}
        self._basic: set[str] = set()
        self._hidden: set[str] = set()
        self.title = title
        self.head = named(QPushButton(self), "sectionHead")
        self.head.setAccessibleName(title)
        self.head.setCheckable(True)
        self.head.setFlat(True)
        self.head.toggled.connect(self.show_rows)
        self.rows = QFormLayout()
        self.rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self.rows.setContentsMargins(8, 0, 0, 4)
        self.rows.setVerticalSpacing(4)
        self.rows.setHorizontalSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.head)
        column.addLayout(self.rows)

    def add(self, setting: Setting, basic: bool) -> None:
        """Adds a setting; a basic one is always on show."""
        self.settings[setting.option.name] = setting
        if basic:
            self._basic.add(setting.option.name)
        self.rows.addRow(setting.label, setting)

    def hide_rows(self, names: set[str]) -> None:
        """Hides settings that mean nothing now, folded or not."""
        self._hidden = names
        self.show_rows()

    def show_rows(self) -> None:
        """Shows the settings that are to be seen."""
        unfolded = self.head.isChecked()
        foldable = False
        for name, setting in self.settings.items():
            always = name in self._basic or setting.unusual or setting.error.text() != ""
            foldable = foldable or (not always and name not in self._hidden)
            self.rows.setRowVisible(setting, name not in self._hidden and (unfolded or always))
        arrow = ("▾  " if unfolded else "▸  ") if foldable else ""
        self.head.setText(f"{arrow}{self.title}")
        self.head.setEnabled(foldable)
        self.head.setToolTip("Show fewer settings" if unfolded else "Show all settings" if foldable else "")
