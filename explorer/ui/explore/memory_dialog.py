"""The memory of the network on show: at inference along its layers, and in a step of training with its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from explorer.errors import InputError
from explorer.inspection.memory import (
    OPTIMISERS,
    PARTS,
    PHASES,
    PRECISIONS,
    TrainingMemory,
    TrainingSetup,
    inference_memory,
)
from explorer.inspection.portrait import Portrait
from explorer.ui.background import Answer, Background
from explorer.ui.explore.memory_charts import COLOURS, LiveChart, PartsBar
from explorer.ui.numbers import short_bytes
from explorer.ui.torch_loading import load_torch
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named


def _measure(portrait: Portrait, setup: TrainingSetup) -> TrainingMemory:
    load_torch()
    from explorer.inspection.training_memory import training_memory

    return training_memory(portrait, setup)


class MemoryDialog(QDialog):
    """Beside the window, not in its way; it follows the network on show."""

    layer_picked = Signal(int)

    def __init__(self, background: Background, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Memory")
        self._background = background
        self._question = 0
        self._portrait: Portrait | None = None
        self.measured: TrainingMemory | None = None
        """Of the step on show; None while it is being worked out and where there is none."""

        setup = TrainingSetup()
        self.batch = QSpinBox(self)
        self.batch.setRange(1, 65_536)
        self.batch.setValue(setup.batch)
        self.optimiser = _chooser(OPTIMISERS, setup.optimiser, self)
        self.precision = _chooser(PRECISIONS, setup.precision, self)
        self.pass_text = WrappedLabel()
        self.chart = LiveChart(self)
        self.step_text = WrappedLabel()
        self.bar = PartsBar(self)
        self.cells = {name: (QLabel(self), QLabel(self)) for name in PARTS}
        """What each part takes in full and at the peak."""

        layout = QVBoxLayout(self)
        choices = QHBoxLayout()
        for text, editor in (
            ("&Batch", self.batch),
            ("&Optimiser", self.optimiser),
            ("&Precision", self.precision),
        ):
            label = QLabel(text, self)
            label.setBuddy(editor)
            choices.addWidget(label)
            choices.addWidget(editor)
        choices.addStretch(1)
        layout.addLayout(choices)
        layout.addWidget(_heading("Inference: what lives while each layer works"))
        layout.addWidget(self.chart, 1)
        layout.addWidget(self.pass_text)
        layout.addWidget(_heading("One step of training"))
        layout.addWidget(self.step_text)
        layout.addWidget(self.bar)
        layout.addLayout(self._table())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.copy = QPushButton("&Copy", self)
        buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout.addWidget(buttons)
        self.resize(560, 620)

        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(200)
        self._settling.timeout.connect(self._refresh)
        self.batch.valueChanged.connect(self._settling.start)
        self.optimiser.currentIndexChanged.connect(self._refresh)
        self.precision.currentIndexChanged.connect(self._refresh)
        self.copy.clicked.connect(self._copy)
        self.chart.picked.connect(self.layer_picked)
        buttons.rejected.connect(self.close)
        background.answered.connect(self._answered)
        self._show_step(None)

    def _table(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        full, peak = QLabel("in full", self), QLabel("at the peak", self)
        full.setToolTip("Activations at the end of the forward pass, gradients at the end of the backward pass")
        peak.setToolTip("When the step takes the most: activations give way as gradients come")
        for column, label in ((2, full), (3, peak)):
            grid.addWidget(named(label, "muted"), 0, column, Qt.AlignmentFlag.AlignRight)
        for row, (name, title) in enumerate(PARTS.items(), 1):
            swatch = QLabel(self)
            swatch.setFixedSize(12, 12)
            swatch.setStyleSheet(f"background: {COLOURS[name]}")
            grid.addWidget(swatch, row, 0)
            grid.addWidget(QLabel(title, self), row, 1)
            for column, cell in enumerate(self.cells[name], 2):
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                grid.addWidget(cell, row, column, Qt.AlignmentFlag.AlignRight)
        return grid

    def set_portrait(self, portrait: Portrait | None) -> None:
        """Shows another network, or none."""
        self._portrait = portrait
        self._refresh()

    def setup(self) -> TrainingSetup:
        """Returns what is chosen."""
        return TrainingSetup(self.batch.value(), self.optimiser.currentData(), self.precision.currentData())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        """Asks for the numbers of what is chosen, unless nobody sees them."""
        if not self.isVisible():
            return
        portrait = self._portrait
        self.setWindowTitle(f"Memory of {portrait.entry.title}" if portrait else "Memory")
        self._question = 0
        self._show_pass()
        self._show_step(None)
        if portrait is None:
            self.step_text.say("No network is shown.")
            return
        self.step_text.say("Working it out…")
        self._question = self._background.ask(_measure, portrait, self.setup())

    def _answered(self, answer: Answer) -> None:
        if answer.id != self._question:
            return
        if isinstance(answer.result, TrainingMemory):
            self._show_step(answer.result)
        elif answer.error is not None:
            known = isinstance(answer.error, InputError)
            reason = str(answer.error) if known else f"{type(answer.error).__name__}: {answer.error}"
            self.step_text.say(f"Not known: {reason}")

    def _show_pass(self) -> None:
        portrait = self._portrait
        if portrait is None:
            self.chart.show_memory(None, None)
            self.pass_text.say("")
            return
        memory = inference_memory(portrait.anatomy, self.batch.value())
        self.chart.show_memory(portrait.anatomy, memory)
        text = f"{short_bytes(memory.peak_bytes)} at the peak"
        if memory.peak_layer >= 0:
            text += f", at {portrait.anatomy.layers[memory.peak_layer].name}"
        if portrait.failure_text:
            text += ", as far as it ran"
        self.pass_text.say(
            f"{text}; {short_bytes(portrait.anatomy.param_bytes)} of weights on top. 32 bits, each tensor given back "
            "after its last use; PyTorch keeps some for longer."
        )

    def _show_step(self, memory: TrainingMemory | None) -> None:
        self.measured = memory
        self.copy.setEnabled(memory is not None)
        self.bar.show_parts([(part.name, part.at_peak) for part in memory.parts] if memory else [])
        if memory is None:
            for cells in self.cells.values():
                for cell in cells:
                    cell.setText("–")
            return
        self.step_text.say(
            f"{short_bytes(memory.peak_bytes)} at the peak, {PHASES[memory.phase]}. What kernels and the allocator "
            "take for themselves comes on top."
        )
        for part in memory.parts:
            for cell, size in zip(self.cells[part.name], (part.bytes, part.at_peak), strict=True):
                cell.setText(short_bytes(size) if size else "–")
                cell.setToolTip(f"{size:,} bytes")

    def _copy(self) -> None:
        """Puts the table on the clipboard, with exact bytes, as spreadsheets take it."""
        if self.measured is not None:
            lines = ["Part\tBytes in full\tBytes at the peak"]
            lines += [f"{PARTS[part.name]}\t{part.bytes}\t{part.at_peak}" for part in self.measured.parts]
            QGuiApplication.clipboard().setText("\n".join([*lines, f"Peak\t\t{self.measured.peak_bytes}"]))


def _chooser(titles: Mapping[Any, str], chosen: str, parent: QWidget) -> QComboBox:
    box = QComboBox(parent)
    for name, title in titles.items():
        box.addItem(title, name)
    box.setCurrentIndex(box.findData(chosen))
    return box


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
