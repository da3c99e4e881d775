"""The recipe as text: edits it in TOML and says at once what is wrong, and where."""

from __future__ import annotations

from PySide6.QtGui import QColor, QFontDatabase, QKeySequence, QPalette, QTextCursor, QTextFormat
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from explorer.training.recipe import Recipe
from explorer.training.recipe_text import Mistake, read_text
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named


class RecipeTextDialog(QDialog):
    """Shows a recipe in TOML; `recipe` is what the text means when it is accepted."""

    def __init__(self, recipe: Recipe, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Recipe as text")
        self.recipe: Recipe = recipe
        self.text = QPlainTextEdit(recipe.to_toml(), self)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Recipe in TOML")
        self.error = named(WrappedLabel(), "fieldError")
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel, self)
        self.use = self.buttons.button(kinds.Ok)
        self.use.setText("Use this recipe")
        self.use.setShortcut(QKeySequence("Ctrl+Return"))
        column = QVBoxLayout(self)
        for widget in (self.text, self.error, self.buttons):
            column.addWidget(widget)
        self.resize(560, 640)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.text.textChanged.connect(self._read)
        self._read()

    def _read(self) -> None:
        read = read_text(self.text.toPlainText())
        mistake = read if isinstance(read, Mistake) else None
        if isinstance(read, Recipe):
            self.recipe = read
        self.use.setEnabled(mistake is None)
        line = mistake.line if mistake else 0
        place = f"Line {line}: " if line else ""
        self.error.say(f"{place}{mistake.message}" if mistake else "")
        self._mark(line)

    def _mark(self, line: int) -> None:
        """Colours a line, counted from 1; none for 0."""
        selection = QTextEdit.ExtraSelection()
        block = self.text.document().findBlockByNumber(line - 1) if line else None
        if block is None or not block.isValid():
            self.text.setExtraSelections([])
            return
        colour = QColor(self.palette().color(QPalette.ColorRole.BrightText))
        colour.setAlpha(60)
        selection.format.setBackground(colour)
        selection.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selection.cursor = QTextCursor(block)
        self.text.setExtraSelections([selection])
