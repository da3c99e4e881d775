"""The menu that changes the network on show: steps of surgery to do and to undo."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from explorer.architectures.surgery.steps import STEPS, base_of, steps_of, with_step, without_step


class ModifyMenu(QPushButton):
    """A button whose menu lists the steps, checked where they are done."""

    wanted = Signal(str)
    """Name of the network that is asked for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Modify", parent)
        self.setToolTip("Change the network: add attention, take skips away, …")
        self._name = ""
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill)
        self._menu.triggered.connect(self._triggered)
        self.setMenu(self._menu)

    def show_network(self, name: str) -> None:
        """Offers to change the network of this name."""
        self._name = name

    def _fill(self) -> None:
        self._menu.clear()
        done = steps_of(self._name)
        for step in STEPS:
            action = QAction(step.title.en, self._menu, checkable=True, checked=step in done)
            action.setToolTip(step.help.en)
            action.setData(without_step(self._name, step.name) if step in done else with_step(self._name, step.name))
            self._menu.addAction(action)
        self._menu.addSeparator()
        back = self._menu.addAction("Back to the original")
        back.setData(base_of(self._name))
        back.setEnabled(bool(done))

    def _triggered(self, action: QAction) -> None:
        self.wanted.emit(str(action.data()))
