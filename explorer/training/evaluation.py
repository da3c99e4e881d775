"""How well a network tells held-out images apart, each judged by one or several views of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.data.preprocessing import Preprocessing, normalise
from explorer.tasks import classification
from explorer.training.events import Evaluating
from explorer.training.processes import ALONE, Pace, Processes
from explorer.training.recipe import Evaluation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from explorer.training.supply import Supply

MARGIN = 8 / 7
"""Side of the image that crops are taken from, over that of a crop: 256 over 224 (Krizhevsky et al. 2012)."""
VIEWS: Mapping[Evaluation, int] = {"plain": 1, "mirror": 2, "ten-crop": 10}
"""How many views of an image are put through the network."""
TOP = 5
"""Classes that may be named for an image to be told right after all; of no interest where there are hardly more."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an evaluation comes to."""

    loss: float
    """Mean cross-entropy, in nats."""
    accuracy: float
    """Share of the images whose likeliest class is right."""
    top5: float | None
    """Share of the images whose class is among the five likeliest; None where there are but five classes."""


class ByItself(nn.Module):
    """A network that each of several processes uses without the others, at the precision of its training."""

    def __init__(self, network: nn.Module, fabric: Fabric) -> None:
        super().__init__()
        self._network, self._fabric = network, fabric

    def forward(self, images: Tensor) -> Any:
        """Returns what the network does."""
        with self._fabric.autocast():
            return self._fabric.strategy.precision.convert_output(self._network(images))


def enlarged(preprocessing: Preprocessing) -> Preprocessing:
    """Returns the preprocessing that gives the larger images from which crops of the network's input are taken."""
    channels, height, width = preprocessing.input
    height, width = round(height * MARGIN), round(width * MARGIN)
    return replace(preprocessing, input=(channels, height, width), resize=min(height, width))


def evaluate(
    module: nn.Module,
    images: Supply,
    preprocessing: Preprocessing,
    evaluation: Evaluation,
    report_every: float,
    processes: Processes = ALONE,
) -> Generator[Evaluating, None, Score]:
    """Returns how well the network does; probabilities of an image's views are averaged.

    Args:
        module: the network, on the device of the images.
        images: of the network's input, or `enlarged` for ten crops.
        preprocessing: what the network expects.
        evaluation: which views.
        report_every: seconds between events.
        processes: those that have a share of each batch.
    """
    module.eval()
    loss_sum, correct, among, count, classes, done = 0.0, 0, 0, 0, 0, 0
    sums: list[tuple[Tensor, ...]] = []
    pace = Pace(processes, report_every)
    for place, (pixels, labels) in enumerate(images.batches()):
        with torch.no_grad():
            logits = judge(module, pixels, preprocessing, evaluation)
            loss = functional.cross_entropy(logits, labels).double() * len(labels)
            classes = logits.shape[1]
            named = (logits.topk(min(TOP, classes)).indices == labels[:, None]).sum()
        if processes.weight(images.size(place)):
            sums.append((loss, classification.count_correct(logits, labels), named))
            count += len(labels)
        done += len(labels) if processes.alone else images.size(place)
        if pace.due():
            elapsed = pace.elapsed()
            yield from processes.in_step(Evaluating(done, images.count))
            pace.begin(elapsed)
    for loss, right, named in sums:  # read off the device when all is done
        loss_sum, correct, among = loss_sum + float(loss), correct + int(right), among + int(named)
    if not processes.alone:
        own = torch.tensor((loss_sum, correct, among, count), dtype=torch.float64, device=labels.device)
        loss_sum, correct, among, count = processes.sum(own).tolist()
    return Score(loss_sum / count, correct / count, among / count if classes > TOP else None)


def judge(module: nn.Module, images: Tensor, preprocessing: Preprocessing, evaluation: Evaluation) -> Tensor:
    """Returns logits (B, classes), of which the softmax is the mean of the views' probabilities.

    Args:
        module: the network.
        images: uint8 (B, C, H, W), of the network's input, or `enlarged` for ten crops.
        preprocessing: what the network expects.
        evaluation: which views.
    """
    pixels = normalise(images, preprocessing)
    if evaluation == "plain":
        return classification.split_outputs(module(pixels))[0]
    views = _corners_and_centre(pixels, preprocessing.input[1:]) if evaluation == "ten-crop" else iter((pixels,))
    answers = [
        classification.split_outputs(module(image))[0].log_softmax(1)
        for view in views
        for image in (view, view.flip(3))
    ]
    # The mean of probabilities, by way of logarithms so that small ones stay what they are.
    return torch.stack(answers).logsumexp(0)


def _corners_and_centre(images: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    height, width = size
    down, across = images.shape[2] - height, images.shape[3] - width
    for top, left in ((0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2)):
        yield images[..., top : top + height, left : left + width]
