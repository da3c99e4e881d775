"""Curves of other programs: what TensorBoard's event files hold that this program has a plot for."""

from __future__ import annotations

import re
from pathlib import Path

from explorer.errors import InputError
from explorer.training.tensorboard import Scalar, read_scalars
from explorer.ui.train.run_curves import RunCurves

_OWN = {
    "loss/step": "step_loss",
    "loss/training": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "accuracy/validation_top5": "validation_top5",
    "learning_rate": "rate",
    "images_per_second": "speed",
    "gradient_norm": "norm",
}
"""Tags that this program writes."""


def metric_of(tag: str) -> str | None:
    """Returns the metric that a tag names by its words, as `Loss/train`, `val_acc`, `lr-SGD`; None where it is none."""
    if tag in _OWN:
        return _OWN[tag]
    words = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", tag).lower()))
    held_out = words & {"val", "valid", "validation", "test", "eval", "dev"}
    if words & {"acc", "accuracy", "top1", "acc1", "prec1"}:
        return "validation_accuracy" if held_out else "train_accuracy"
    if words & {"acc5", "top5", "prec5"}:
        return "validation_top5" if held_out else None
    if "loss" in words:
        return "validation_loss" if held_out else "step_loss"
    if words & {"lr"} or {"learning", "rate"} <= words:
        return "rate"
    return "norm" if "norm" in words and words & {"grad", "gradient", "gradients"} else None


def read_tensorboard(path: str) -> RunCurves:
    """Reads the curves of a folder of event files. Epochs are not known: each step counts as one.

    Raises:
        InputError: there is no event file in it, it cannot be read, or holds nothing that there is a plot for.
    """
    found: dict[str, dict[int, float]] = {}
    times: dict[int, float] = {}
    for scalar in read_scalars(Path(path)):
        metric = metric_of(scalar.tag)
        if metric is not None and scalar.step >= 0:
            found.setdefault(metric, {})[scalar.step] = _value(metric, scalar)
            times.setdefault(scalar.step, scalar.wall_time)
    if not found:
        raise InputError(f"the event files in {path} hold no loss, accuracy, learning rate or gradient norm")
    curves = RunCurves(path, f"{Path(path).name} (TensorBoard)")
    curves.set_times(dict(sorted(times.items())))
    for metric, points in found.items():
        steps = sorted(points)
        curves.extend(metric, steps, [points[step] for step in steps])
    return curves


def _value(metric: str, scalar: Scalar) -> float:
    """Returns an accuracy in per cent, whatever it is written in."""
    share = metric.endswith(("accuracy", "top5")) and 0 <= scalar.value <= 1
    return 100 * scalar.value if share else scalar.value
