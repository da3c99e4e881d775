"""What stands above a network: its name, its paper, its totals beside the published ones, and its options."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from explorer.architectures.entry import Entry
from explorer.architectures.options import Scalar
from explorer.architectures.surgery.steps import STEPS
from explorer.inspection.anatomy import Anatomy
from explorer.inspection.conformance import Check, Verdict, check_text, checks, worst
from explorer.inspection.memory import InferenceMemory, inference_memory
from explorer.inspection.notation import count_text
from explorer.inspection.portrait import Portrait, Totals
from explorer.ui.explore.card_text import SIGNS
from explorer.ui.explore.modify_menu import ModifyMenu
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.flow_layout import FlowLayout
from explorer.ui.widgets.input_size import InputSize
from explorer.ui.widgets.labels import CutLabel
from explorer.ui.widgets.named import named
from explorer.ui.widgets.option_editors import OptionEditor

VERDICTS: dict[Verdict, str] = {
    "exact": "paper",
    "agrees": "paper",
    "explained": "explained",
    "differs": "differs",
}
"""What the worst of the checks says of the network."""


class Header(QWidget):
    """Title, figures and option editors of the network on show."""

    changed = Signal()
    """The user chose another input size or option; `input` and `chosen` tell what."""

    checks_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = named(CutLabel(self), "title")
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
        self.modify = ModifyMenu(self)
        self.memory = QPushButton("Memory…", self)
        self.memory.setToolTip("What a pass and a step of training take, part by part")
        self._portrait: Portrait | None = None
        self.verdict = QToolButton(self)
        self.verdict.setVisible(False)
        self.verdict.clicked.connect(self.checks_wanted)
        self._corner = QVBoxLayout()
        self._corner.setSpacing(4)
        self._corner.addWidget(self.verdict)
        self._corner.addStretch(1)
        self._top = top = QHBoxLayout()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.title)
        names.addWidget(self.subtitle)
        top.addLayout(names, 1)
        for label in self.figures:
            top.addSpacing(14)
            top.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
        top.addSpacing(14)
        top.addLayout(self._corner)
        self._options = QWidget(self)
        self._flow = FlowLayout(self._options)
        self._flow.addWidget(self._labelled("Input", self.input))
        for button in (self.modify, self.memory, self.reset):
            self._flow.addWidget(button)
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
        """Adds a button at the upper right."""
        self._corner.insertWidget(0, button)

    def announce(self, entry: Entry) -> None:
        """Shows what the card tells, before the network has been inspected."""
        parts = [str(entry.year) if entry.year else "", escape(entry.authors)]
        if entry.link:
            parts.append(f'<a href="{escape(entry.link)}">{escape(entry.paper)}</a>')
        elif entry.paper:
            parts.append(escape(entry.paper))
        subtitle = "  ·  ".join(part for part in parts if part)
        self.announce_name(entry.name, entry.title, subtitle)
        self.subtitle.setToolTip(entry.paper)

    def announce_name(self, name: str, title: str, subtitle: str = "") -> None:
        """Shows what a network is called, while nothing else is known of it."""
        self.title.setText(title)
        self.title.setToolTip(name)
        self.subtitle.setText(subtitle or escape(name))
        self.subtitle.setToolTip("")
        for label in self.figures:
            label.clear()
        self.verdict.setVisible(False)

    def show_portrait(self, portrait: Portrait, original: Totals | None = None) -> None:
        """Shows the measured totals beside the published ones, and editors for the options.

        Args:
            portrait: the network.
            original: totals of the network that it was made from by surgery.
        """
        former, self._portrait = self._portrait, portrait
        self.announce(portrait.entry)
        anatomy = portrait.anatomy
        complete = anatomy.failure is None
        found = checks(portrait)
        self.modify.show_network(portrait.entry.name)
        for label, name, what, measured in (
            (self.figures[0], "Parameters", "params", anatomy.params),
            (self.figures[1], "MACs" if complete else "MACs so far", "macs", anatomy.macs),
        ):
            own = [check for check in found if check.what == what]
            before = getattr(original, what) if original is not None and complete else None
            label.setText(_figure(name, measured, own, before))
            label.setToolTip(_tooltip(what, measured, own, portrait, before))
        self._show_verdict(found)
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

    def _show_verdict(self, found: tuple[Check, ...]) -> None:
        verdict = worst(found)
        self.verdict.setVisible(verdict is not None)
        if verdict is not None:
            sign, colour = SIGNS[verdict]
            self.verdict.setText(f"{sign} {VERDICTS[verdict]}")
            self.verdict.setStyleSheet(f"color: {colour}")
            self.verdict.setToolTip("\n".join(map(check_text, found)))

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
        for button in (self.memory, self.reset):
            self._flow.removeWidget(button)
        step = ""
        for option in portrait.options:
            editor = OptionEditor(option, option.default, self)
            editor.changed.connect(self._settling.start)
            self.editors[option.name] = editor
            group, _, own = option.name.rpartition(".")
            if group != step:  # options of a step of surgery follow its name
                step = group
                self._pairs.append(
                    QLabel(f"<b>{next(each.title.en for each in STEPS if each.name == step)}:</b>", self)
                )
                self._flow.addWidget(self._pairs[-1])
            self._pairs.append(self._labelled(own.removeprefix("num_").replace("_", " ").capitalize(), editor))
            self._flow.addWidget(self._pairs[-1])
        for button in (self.memory, self.reset):
            self._flow.addWidget(button)

    def _reset(self) -> None:
        if self._portrait is not None:
            self.input.set_value(self._portrait.entry.input)
            for editor in self.editors.values():
                editor.set_value(editor.option.default)
            self.changed.emit()


def _figure(name: str, measured: int, checks: list[Check], before: int | None) -> str:
    """A number with what the first source prints for it, and how well they agree, or how surgery has changed it."""
    if before is not None:
        return _plain(name, count_text(measured), change_text(measured, before))
    if not checks:
        return _plain(name, count_text(measured), "")
    sign, colour = SIGNS[checks[0].verdict]
    text = f'<span style="color:{colour}">{sign} published {checks[0].printed}</span>'
    return _plain(name, count_text(measured), text)


def change_text(now: int, before: int) -> str:
    """Returns `+2.53 M (+9.9 %)` for a count that was smaller before."""
    if now == before:
        return "unchanged"
    sign = "+" if now > before else "−"
    share = f" ({sign}{100 * abs(now - before) / before:.1f} %)" if before else ""
    return f"{sign}{count_text(abs(now - before))}{share}"


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


def _tooltip(what: str, measured: int, checks: list[Check], portrait: Portrait, before: int | None) -> str:
    lines = [f"{measured:,} {'parameters' if what == 'params' else 'MACs'}, measured"]
    if before is not None:
        lines.append(f"{before:,} before it was modified: {change_text(measured, before)}")
    lines += [check_text(check) for check in checks]
    if portrait.entry.published and not portrait.published:
        lines.append("The published number holds for the network's own input and options")
    return "\n".join(lines)
