"""The colours of curves, and the line of text that explains them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtGui import QColor

from explorer.ui.train.run_curves import RunCurves

STEPS, TRAIN, VALIDATION, SPEED = QColor("#8fb0ef"), QColor("#2f6fde"), QColor("#e07b00"), QColor("#3a9d5d")
COLOURS = {
    "step_loss": STEPS,
    "train_loss": TRAIN,
    "validation_loss": VALIDATION,
    "train_accuracy": TRAIN,
    "validation_accuracy": VALIDATION,
    "validation_top5": QColor("#b58500"),
    "rate": QColor("#8a5cd0"),
    "speed": SPEED,
    "norm": QColor("#c2417c"),
}
"""Of the metrics, where one run is on show."""
RUN_COLOURS = tuple(
    QColor(name)
    for name in ("#2f6fde", "#e07b00", "#3a9d5d", "#c2417c", "#8a5cd0", "#0f9aa8", "#9a6b3f", "#b58500", "#6b7280")
)
"""Of the runs, where several are on show: the current one first."""
LONGEST_NAME = 48


def legend_text(runs: Sequence[RunCurves]) -> str:
    """Returns rich text: what the colours stand for where there is one run, and which run is which of several."""
    if len(runs) == 1:
        entries = [("step_loss", "— each step"), ("train_loss", "●— training"), ("validation_loss", "●— validation")]
        if len(runs[0].series["validation_top5"]):
            entries.append(("validation_top5", "●— top-5"))
        texts = [_coloured(COLOURS[name], text) for name, text in entries]
        return " &nbsp; ".join([*texts, _coloured(VALIDATION, "★ best epoch")])
    texts = []
    for place, run in enumerate(runs):
        if not run.path and not run.name and not run.last:
            continue  # no run is the current one
        name = run.name or "current run"
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        if run.best is not None:
            name += f" ★ {100 * run.best.validation_accuracy:.2f} % (epoch {run.best.epoch})"
        texts.append(_coloured(RUN_COLOURS[place % len(RUN_COLOURS)], f"● {name}"))
    return " &nbsp; ".join([*texts, "solid: validation, dashed: training"])


def _coloured(colour: QColor, text: str) -> str:
    return f'<span style="color:{colour.name()}">{escape(text).replace(" ", "&nbsp;")}</span>'
