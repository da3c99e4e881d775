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
    left_out: int = 0
    """Files of the dataset that cannot be read."""
    left_out_first: str = ""
    """The first of them and what is wrong with it."""
    processes: int = 1
    """Those that train together, each on a device of its own."""


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
class LayerRatios:
    """How far one step has moved each layer: ‖w_{t+1} − w_t‖ / ‖w_t‖ over all parameters of the layer together.

    Of the order of 1e-3 in healthy training, says Karpathy ("CS231n: Convolutional Neural Networks for Visual
    Recognition", notes on learning, "Ratio of weights:updates").
    """

    step: int
    """The step that did it: steps that were done when it had been taken."""
    ratios: tuple[tuple[str, float | None], ...]
    """Dotted name of each layer with parameters of its own, in the order of the network, and its ratio, to four
    digits: 0 where it is frozen or the step was skipped, None where the weights were all 0 or there is no number."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many of some numbers lie in each of equally wide bins; those that are not finite are in none."""

    low: float
    high: float
    """Ends of the first and the last bin."""
    counts: tuple[int, ...]
    mean: float
    std: float
    """Mean and standard deviation of the finite numbers."""
    zeros: int
    """Numbers that are exactly 0."""
    non_finite: int
    """Numbers that are NaN or infinite."""

    @property
    def total(self) -> int:
        """All numbers, finite or not."""
        return sum(self.counts) + self.non_finite


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer in one step; None stands for what it does not have."""

    name: str
    """Dotted; a layer that is called again in the same step has a row for each call, numbered from `(2)`."""
    kind: str
    """Its class."""
    weight_norm: float | None = None
    """Length of all its parameters before the step."""
    gradient_norm: float | None = None
    """Length of their gradient as the optimiser got it, clipped where the recipe clips."""
    ratio: float | None = None
    """As in `LayerRatios`."""
    weights: Histogram | None = None
    """Of the parameters before the step."""
    gradients: Histogram | None = None
    activations: Histogram | None = None
    """Of the output; where a batch is taken in parts, for its first part."""
    units: int = 0
    """Channels or neurons of the output."""
    dead: int = 0
    """Units whose output is 0 everywhere, for each image."""


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """What happened inside the network in the step for which it was asked."""

    step: int
    layers: tuple[LayerRow, ...]
    """In the order of the network: those with parameters of their own, and those that hold no others."""


@dataclass(frozen=True, slots=True)
class LayerRequest:
    """Sent to a run in progress in answer to Steps: it wants the LayerStatistics of the step that follows."""


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
    left_out: int = 0
    """Training files that could not be decoded when it was their turn, since the run was begun or resumed."""


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


Event = Progress | Started | Steps | RateChanged | LayerRatios | LayerStatistics | Evaluating | Epoch | Finished
Command = float | LayerRequest
"""What may be sent to a run in progress in answer to Steps; a number is the learning rate of the next step."""


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
    if kind is LayerRatios:
        values["ratios"] = tuple(map(tuple, values["ratios"]))
    event: Event = kind(**values)
    return event


_KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Started, Steps, RateChanged, LayerRatios, Epoch, Finished)
}


def _is_of(kind: str, value: object) -> bool:
    """Returns whether a value from JSON is of a field's type; a number must be one that can be drawn."""
    if kind == "str":
        return isinstance(value, str)
    if kind == "tuple[float, ...]":
        return isinstance(value, list) and bool(value) and all(_is_of("float", item) for item in value)
    if kind == "tuple[tuple[str, float | None], ...]":
        return isinstance(value, list) and all(
            isinstance(pair, list)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and (pair[1] is None or (isinstance(pair[1], int | float) and abs(pair[1]) < 1e300))
            for pair in value
        )
    if value is None:
        return kind.endswith("None")
    return isinstance(value, int | float) and abs(value) < 1e300  # which NaN is not
