"""The row of figures above the curves: where a run stands."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from explorer.training.events import Epoch, Steps
from explorer.ui.numbers import short_time
from explorer.ui.widgets.named import named

FIGURES = (
    ("state", "State"),
    ("epoch", "Epoch"),
    ("loss", "Loss"),
    ("accuracy", "Training"),
    ("validation", "Validation"),
    ("best", "Best"),
    ("speed", "Images/s"),
    ("left", "Time left"),
)


class Figures(QWidget):
    """One label a figure, by name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        self._labels: dict[str, QLabel] = {}
        for column, (name, text) in enumerate(FIGURES):
            self._labels[name] = named(QLabel("–", self), "figure")
            grid.addWidget(named(QLabel(text, self), "muted"), 0, column)
            grid.addWidget(self._labels[name], 1, column)
            grid.setColumnStretch(column, 1)

    def __getitem__(self, name: str) -> QLabel:
        """Returns a figure's label."""
        return self._labels[name]

    def clear(self) -> None:
        """Shows a dash for each."""
        for label in self._labels.values():
            label.setText("–")
            label.setToolTip("")

    def show_steps(self, steps: Steps, epochs: int) -> None:
        """Shows the newest steps of a run that is to take so many epochs."""
        self["epoch"].setText(f"{steps.epoch} / {epochs}")
        self["loss"].setText(f"{steps.losses[-1]:.4f}")
        self["speed"].setText(f"{steps.images_per_second:,.0f}")
        self["left"].setText(short_time(steps.seconds_left))

    def show_epoch(self, epoch: Epoch) -> None:
        """Shows what an epoch has come to."""
        self["accuracy"].setText(f"{100 * epoch.train_accuracy:.2f} %")
        self["validation"].setText(f"{100 * epoch.validation_accuracy:.2f} %")
        if epoch.best:
            self["best"].setText(f"{100 * epoch.validation_accuracy:.2f} %")
            self["best"].setToolTip(f"Best validation accuracy, epoch {epoch.epoch}")

    def show_last_epoch(self, epoch: Epoch, epochs: int) -> None:
        """Shows a run that rests after this epoch."""
        self.show_epoch(epoch)
        self["epoch"].setText(f"{epoch.epoch} / {epochs}")
        self["loss"].setText(f"{epoch.train_loss:.4f}")
        self["speed"].setText(f"{epoch.images_per_second:,.0f}")
