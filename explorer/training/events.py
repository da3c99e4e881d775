"""What training reports, in the order in which it happens: plain records, safe to hand across threads."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from explorer.data.download import Progress


@dataclass(frozen=True, slots=True)
class Started:
    """Everything is in place and the first step follows."""

    run: str
    """The run's folder."""
    architecture: str
    dataset: str
    device: str
    """`cpu` or `cuda`."""
    device_name: str
    """The processor's own name."""
    precision: str
    """As Lightning Fabric names it: `32-true`, `bf16-mixed`."""
    params: int
    train_images: int
    validation_images: int
    test_images: int
    steps_per_epoch: int
    epochs: int
    step: int
    """Steps that are already done: more than 0 when a run is resumed."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Some training steps since the last such event."""

    epoch: int
    """From 1."""
    step: int
    """Steps done so far in the whole run."""
    losses: tuple[float, ...]
    """Loss of each of the last steps, the newest last."""
    learning_rate: float
    """Of the newest step."""
    images_per_second: float
    seconds_left: float
    """Estimated time to the end of the run."""
    grad_norm: float | None = None
    """Length of the newest step's gradient, before it was clipped; None where it is no number."""


@dataclass(frozen=True, slots=True)
class RateChanged:
    """The learning rate was changed by hand while the run went on; the schedule goes on from there in proportion."""

    step: int
    """Steps that were done: the next one is the first with the new rate."""
    factor: float
    """By which the schedule's rate is multiplied from here on."""
    learning_rate: float
    """Of the next step."""


@dataclass(frozen=True, slots=True)
class Evaluating:
    """The held-out images are being looked at."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training images, and the evaluation after it."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    """Share from 0 to 1, while the weights were still changing."""
    validation_loss: float
    validation_accuracy: float
    best: bool
    """Whether this is the best validation accuracy so far."""
    images_per_second: float
    """Training images over training time, evaluation and pauses left out."""
    seconds: float
    """Training time of this epoch."""
    validation_top5: float | None = None
    """Share of the held-out images whose class is among the five likeliest; None where there are hardly more."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last epoch is over."""

    run: str
    epochs: int
    best_epoch: int
    best_accuracy: float
    """Validation accuracy of the best epoch."""
    test_accuracy: float | None
    """Of the best epoch's weights on the dataset's own test images; None where it has none."""
    seconds: float
    """Training time of the whole run."""


Event = Progress | Started | Steps | RateChanged | Evaluating | Epoch | Finished


def to_document(event: Event) -> dict[str, Any]:
    """Returns the event as plain values for JSON, its kind under `event`."""
    return {"event": type(event).__name__.lower(), **asdict(event)}


def from_document(document: dict[str, Any]) -> Event | None:
    """Returns the event that `to_document` wrote, or None for anything else: a file of events may be damaged."""
    kind = _KINDS.get(str(document.get("event")))
    if kind is None:
        return None
    values = {name: value for name, value in document.items() if name != "event"}
    types = {field.name: str(field.type) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    # Runs of earlier versions lack what was added since.
    if not needed <= values.keys() <= types.keys() or not all(
        _is_of(types[name], value) for name, value in values.items()
    ):
        return None
    if kind is Steps:
        values["losses"] = tuple(values["losses"])
    event: Event = kind(**values)
    return event


_KINDS: dict[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Started, Steps, RateChanged, Epoch, Finished)}


def _is_of(kind: str, value: object) -> bool:
    """Returns whether a value from JSON is of a field's type; a number must be one that can be drawn."""
    if kind == "str":
        return isinstance(value, str)
    if kind == "tuple[float, ...]":
        return isinstance(value, list) and bool(value) and all(_is_of("float", item) for item in value)
    if value is None:
        return kind.endswith("None")
    return isinstance(value, int | float) and abs(value) < 1e300  # which NaN is not
