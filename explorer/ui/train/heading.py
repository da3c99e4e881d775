"""What stands above the curves: which run they are of, on what it is trained, and where it stands."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from explorer.training.events import Finished, Started
from explorer.training.recipe import Recipe
from explorer.ui.train.figures import Figures
from explorer.ui.widgets.named import named


class Heading(QWidget):
    """A title, a line on network, images and processor, and the figures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = named(QLabel(self), "title")
        self.subtitle = QLabel(self)
        self.subtitle.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.figures = Figures(self)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for part in (self.title, self.subtitle, self.figures):
            rows.addWidget(part)
        self.show_recipe(None)

    def show_recipe(self, recipe: Recipe | None) -> None:
        """Shows a run of which no more than its recipe is known; None where there is no run."""
        self.figures.clear()
        name = f"{recipe.architecture.rpartition('/')[2]} on {recipe.dataset}" if recipe else "Train a network"
        self.title.setText(name)
        self.subtitle.setText("" if recipe else "Choose a recipe and press Start; the digits need no download.")
        self.subtitle.setToolTip("")

    def show_started(self, started: Started) -> None:
        """Shows what a run is trained with."""
        images = f"{started.train_images:,} + {started.validation_images:,} images"
        mixed = "" if started.precision == "32-true" else f", {started.precision}"
        parts = [f"{started.params:,} parameters", images, f"{started.device_name}{mixed}"]
        if started.left_out:
            parts.append(f"{started.left_out:,} unreadable files left out")
        self.subtitle.setText("   ·   ".join(parts))
        first = f"\nLeft out: {started.left_out_first}" if started.left_out else ""
        self.subtitle.setToolTip(started.run + (f"{first} …" if started.left_out > 1 else first))

    def show_finished(self, finished: Finished) -> None:
        """Adds what the test images say of a run."""
        if finished.test_accuracy is not None:
            self.subtitle.setText(
                f"{self.subtitle.text()}   ·   best epoch {finished.best_epoch}: "
                f"{100 * finished.test_accuracy:.2f} % of the test images"
            )
