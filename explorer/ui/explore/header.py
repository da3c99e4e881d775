"""What stands above a network: its name, its paper, its totals beside the published ones, and its options."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from explorer.architectures.entry import Entry
from explorer.architectures.options import Scalar
from explorer.inspection.anatomy import Anatomy
from explorer.inspection.conformance import Check, check_text, checks
from explorer.inspection.memory import InferenceMemory, inference_memory
from explorer.inspection.notation import count_text
from explorer.inspection.portrait import Portrait
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.flow_layout import FlowLayout
from explorer.ui.widgets.input_size import InputSize
from explorer.ui.widgets.named import named
from explorer.ui.widgets.option_editors import OptionEditor

SIGNS = {
    "exact": ("✔", "#1a9850"),
    "agrees": ("✔", "#1a9850"),
    "explained": ("≠", "#d9822b"),
    "differs": ("✘", "#d73027"),
}


class Header(QWidget):
    """Title, figures and option editors of the network on show."""

    changed = Signal()
    """The user chose another input size or option; `input` and `chosen` tell what."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = named(QLabel(self), "title")
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.subtitle = named(QLabel(self), "subtitle")
        self.subtitle.setOpenExternalLinks(True)
        self.subtitle.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.subtitle.setWordWrap(True)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.figures = [QLabel(self) for _ in range(4)]
        for label in self.figures:
            label.setTextFormat(Qt.TextFormat.RichText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.input = InputSize(self)
        self.editors: dict[str, OptionEditor] = {}
        self._pairs: list[QWidget] = []
        """The editors with their labels."""
        self.reset = QPushButton("Reset", self)
        self.reset.setToolTip("Back to the network's own input size and options")
        self.memory = QPushButton("Memory…", self)
        self.memory.setToolTip("What a pass and a step of training take, part by part")
        self._portrait: Portrait | None = None
        self._top = top = QHBoxLayout()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.title)
        names.addWidget(self.subtitle)
        top.addLayout(names, 1)
        for label in self.figures:
            top.addSpacing(14)
            top.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
        self._options = QWidget(self)
        self._flow = FlowLayout(self._options)
        self._flow.addWidget(self._labelled("Input", self.input))
        self._flow.addWidget(self.memory)
        self._flow.addWidget(self.reset)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self._options)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(200)
        self._settling.timeout.connect(self.changed)
        self.input.changed.connect(self._settling.start)
        self.reset.clicked.connect(self._reset)
        self._options.setVisible(False)

    def add_button(self, button: QWidget) -> None:
        """Adds a button at the right end."""
        self._top.addSpacing(14)
        self._top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)

    def announce(self, entry: Entry) -> None:
        """Shows what the card tells, before the network has been inspected."""
        self.title.setText(entry.title)
        parts = [str(entry.year) if entry.year else "", escape(entry.authors)]
        if entry.link:
            parts.append(f'<a href="{escape(entry.link)}">{escape(entry.paper)}</a>')
        elif entry.paper:
            parts.append(escape(entry.paper))
        self.subtitle.setText("  ·  ".join(part for part in parts if part) or escape(entry.name))
        self.subtitle.setToolTip(entry.paper)
        for label in self.figures:
            label.clear()

    def show_portrait(self, portrait: Portrait) -> None:
        """Shows the measured totals beside the published ones, and editors for the options."""
        former, self._portrait = self._portrait, portrait
        self.announce(portrait.entry)
        anatomy = portrait.anatomy
        complete = anatomy.failure is None
        found = checks(portrait)
        for label, name, what, measured in (
            (self.figures[0], "Parameters", "params", anatomy.params),
            (self.figures[1], "MACs" if complete else "MACs so far", "macs", anatomy.macs),
        ):
            own = [check for check in found if check.what == what]
            label.setText(_figure(name, measured, own))
            label.setToolTip(_tooltip(what, measured, own, portrait))
        memory = inference_memory(anatomy)
        sum_text = f"of {short_bytes(anatomy.activation_bytes)} activations"
        self.figures[2].setText(_plain("Peak memory", short_bytes(memory.peak_bytes), sum_text))
        self.figures[2].setToolTip(_memory_tooltip(anatomy, memory))
        self.figures[3].setText(_plain("Weights", short_bytes(anatomy.param_bytes), "32 bits"))
        self.input.set_value(portrait.input)
        if former is None or former.entry.name != portrait.entry.name:
            self._make_editors(portrait)
        chosen = dict(portrait.chosen)
        for option in portrait.options:
            self.editors[option.name].set_value(chosen.get(option.name, option.default))
        self.reset.setVisible(not portrait.canonical)
        self._options.setVisible(True)

    def chosen(self) -> dict[str, Scalar]:
        """Returns the options that are not at their default."""
        return {
            name: editor.value() for name, editor in self.editors.items() if editor.value() != editor.option.default
        }

    def clear_options(self) -> None:
        """Forgets options and input of the former network: the next one has its own."""
        self._settling.stop()
        self._portrait = None
        self._options.setVisible(False)

    def _labelled(self, text: str, editor: QWidget) -> QWidget:
        pair = QWidget(self)
        layout = QHBoxLayout(pair)
        layout.setContentsMargins(0, 0, 8, 0)
        label = QLabel(text, pair)
        label.setBuddy(editor)
        label.setToolTip(editor.toolTip())
        layout.addWidget(label)
        layout.addWidget(editor)
        return pair

    def _make_editors(self, portrait: Portrait) -> None:
        for pair in self._pairs:
            self._flow.removeWidget(pair)
            pair.deleteLater()
        self.editors, self._pairs = {}, []
        self._flow.removeWidget(self.memory)
        self._flow.removeWidget(self.reset)
        for option in portrait.options:
            editor = OptionEditor(option, option.default, self)
            editor.changed.connect(self._settling.start)
            self.editors[option.name] = editor
            name = option.name.removeprefix("num_").replace("_", " ").capitalize()
            self._pairs.append(self._labelled(name, editor))
            self._flow.addWidget(self._pairs[-1])
        self._flow.addWidget(self.memory)
        self._flow.addWidget(self.reset)

    def _reset(self) -> None:
        if self._portrait is not None:
            self.input.set_value(self._portrait.entry.input)
            for editor in self.editors.values():
                editor.set_value(editor.option.default)
            self.changed.emit()


def _figure(name: str, measured: int, checks: list[Check]) -> str:
    """A number with what the first source prints for it, and how well they agree."""
    if not checks:
        return _plain(name, count_text(measured), "")
    sign, colour = SIGNS[checks[0].verdict]
    text = f'<span style="color:{colour}">{sign} published {checks[0].printed}</span>'
    return _plain(name, count_text(measured), text)


def _plain(name: str, value: str, below: str) -> str:
    return (
        f'<div style="font-size:small">{name}</div><div style="font-size:x-large; font-weight:600">{value}</div>'
        f'<div style="font-size:small">{below or "&nbsp;"}</div>'
    )


def _memory_tooltip(anatomy: Anatomy, memory: InferenceMemory) -> str:
    lines = [f"{memory.peak_bytes:,} bytes live at once in a pass with one image in 32 bits"]
    if memory.peak_layer >= 0:
        lines[0] += f", at {anatomy.layers[memory.peak_layer].name}"
    return "\n".join(
        [
            *lines,
            f"{memory.input_bytes:,} bytes of input",
            f"{anatomy.activation_bytes:,} bytes of layers' outputs, summed; in-place operations and views are free",
            f"{anatomy.param_bytes:,} bytes of weights come on top",
        ]
    )


def _tooltip(what: str, measured: int, checks: list[Check], portrait: Portrait) -> str:
    lines = [f"{measured:,} {'parameters' if what == 'params' else 'MACs'}, measured"]
    lines += [check_text(check) for check in checks]
    if portrait.entry.published and not portrait.published:
        lines.append("The published number holds for the network's own input and options")
    return "\n".join(lines)
