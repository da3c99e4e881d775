"""How curves are shown: what x is, how smooth they are, which axes are logarithmic, and where they are saved."""

from __future__ import annotations

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QMenu, QSlider, QToolButton, QWidget

from explorer.ui.train.run_curves import AXES, Axis

_SCALE = 1000


class PlotBar(QWidget):
    """One line of controls above the plots; it remembers itself in the user's settings."""

    axis_changed = Signal(str)
    smoothing_changed = Signal(float)
    logarithms_changed = Signal(bool, bool)
    """Of x and of y."""
    fit_wanted = Signal()
    import_wanted = Signal()
    """A folder of TensorBoard's is to be chosen."""
    imports_removed = Signal()
    layers_wanted = Signal()
    export_wanted = Signal(str)
    """`png`, `svg` or `csv`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings: QSettings | None = None
        self.axis = QComboBox(self)
        for axis, title in (("epochs", "Epochs"), ("steps", "Steps"), ("time", "Time")):
            self.axis.addItem(title, axis)
        self.axis.setAccessibleName("Horizontal axis")
        self.axis.setToolTip("What the horizontal axis counts")
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(0, _SCALE - 1)
        self.slider.setSingleStep(10)
        self.slider.setPageStep(100)
        self.slider.setFixedWidth(110)
        self.slider.setAccessibleName("Smoothing")
        self.slider.setToolTip("Exponential moving average; the curve itself stays visible behind it")
        self.weight = QLabel("0.000", self)
        self.weight.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.000"))
        self.log_x = QCheckBox("log &x", self)
        self.log_y = QCheckBox("log &y", self)
        self.log_x.setToolTip("Logarithmic horizontal axis")
        self.log_y.setToolTip("Logarithmic loss, learning rate and gradient norm")
        self.layers = QToolButton(self)
        self.layers.setText("Layers…")
        self.layers.setToolTip("What happens inside the network: update ratio and histograms of each layer (Ctrl+L)")
        self.layers.setShortcut(QKeySequence("Ctrl+L"))
        self.fit = QToolButton(self)
        self.fit.setText("Show &all")
        self.fit.setToolTip("Undo zooming and moving: all of every run")
        self.imports = QToolButton(self)
        self.imports.setText("Import")
        self.imports.setToolTip("Draw curves of other programs beside these")
        self.imports.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        imports = QMenu(self.imports)
        imports.addAction("TensorBoard folder…", self.import_wanted.emit)
        imports.addAction("Remove what was imported", self.imports_removed.emit)
        self.imports.setMenu(imports)
        self.export = QToolButton(self)
        self.export.setText("Save as")
        self.export.setToolTip("Save the plots as a picture, or their numbers as a table")
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        menu.addAction("PNG picture…", self._export_png)
        menu.addAction("SVG picture…", self._export_svg)
        menu.addAction("CSV table…", self._export_csv)
        self.export.setMenu(menu)
        self.of_plots = [QAction("Show all", self), menu.menuAction()]
        """What the menu of each plot offers."""
        menu.menuAction().setText("Save as")
        self.of_plots[0].triggered.connect(self.fit_wanted)
        label = QLabel("&Smoothing", self)
        label.setBuddy(self.slider)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.axis, label, self.slider, self.weight, self.log_x, self.log_y):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.layers)
        row.addWidget(self.fit)
        row.addWidget(self.imports)
        row.addWidget(self.export)
        self.layers.clicked.connect(self.layers_wanted)
        self.fit.clicked.connect(self.fit_wanted)
        self.axis.currentIndexChanged.connect(self._axis_changed)
        self.slider.valueChanged.connect(self._smoothing_changed)
        self.log_x.toggled.connect(self._logarithms_changed)
        self.log_y.toggled.connect(self._logarithms_changed)

    @property
    def smoothing(self) -> float:
        """Weight of the past, from 0 to below 1."""
        return self.slider.value() / _SCALE

    def remember(self, settings: QSettings) -> None:
        """Takes up what was chosen the last time, and keeps what will be."""
        axis = str(settings.value("train/axis", "epochs"))
        if axis in AXES:
            self.axis.setCurrentIndex(self.axis.findData(axis))
        try:
            self.slider.setValue(round(_SCALE * float(str(settings.value("train/smoothing", "0")))))
        except ValueError:
            self.slider.setValue(0)
        self.log_x.setChecked(str(settings.value("train/log_x", "false")) == "true")
        self.log_y.setChecked(str(settings.value("train/log_y", "false")) == "true")
        self._settings = settings

    def chosen_axis(self) -> Axis:
        """Returns what x stands for."""
        axis: Axis = self.axis.currentData()
        return axis

    def _keep(self, name: str, value: str) -> None:
        if self._settings is not None:
            self._settings.setValue(f"train/{name}", value)

    def _axis_changed(self) -> None:
        self._keep("axis", self.chosen_axis())
        self.axis_changed.emit(self.chosen_axis())

    def _smoothing_changed(self) -> None:
        self.weight.setText(f"{self.smoothing:.3f}")
        self._keep("smoothing", f"{self.smoothing:.3f}")
        self.smoothing_changed.emit(self.smoothing)

    def _logarithms_changed(self) -> None:
        for name, box in (("log_x", self.log_x), ("log_y", self.log_y)):
            self._keep(name, "true" if box.isChecked() else "false")
        self.logarithms_changed.emit(self.log_x.isChecked(), self.log_y.isChecked())

    def _export_png(self) -> None:
        self.export_wanted.emit("png")

    def _export_svg(self) -> None:
        self.export_wanted.emit("svg")

    def _export_csv(self) -> None:
        self.export_wanted.emit("csv")
