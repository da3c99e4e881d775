"""What a run will take, found out by a step or two of it: memory, time and the largest batch that fits."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.download import Progress
from explorer.training.allocator import memory_kept
from explorer.training.device import threads
from explorer.training.errors import TrainingError
from explorer.training.memory import fits, full_memory, is_out_of_memory
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.training.engine import Engine

TRIALS = 5
"""Steps that are timed, at most; the first one, which prepares the device, is not."""
PATIENCE = 2.0
"""Seconds after which no further step is timed."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a run will take."""

    device: str
    """`cpu` or `cuda`."""
    device_name: str
    params: int
    train_images: int
    validation_images: int
    steps_per_epoch: int
    step_seconds: float
    """Median of a few steps; where the run has two phases, of the second one, like the next."""
    epoch_seconds: float
    """All steps of an epoch, and the evaluation after it."""
    run_seconds: float
    """All epochs; files that must be decoded first are not in it."""
    peak_bytes: int | None
    """The most memory that a step needs: on a GPU its own, elsewhere the whole process; None where nobody tells."""
    largest_batch: int | None
    """Images of the largest batch that fits into the memory, a power of two times the recipe's and no more than there
    are: found by trying on a GPU, elsewhere reckoned from what a step takes and from what is free now. None where
    nobody tells."""


def preflight(recipe: Recipe, device: str = "auto") -> Generator[Progress, None, Preflight]:
    """Takes a few steps of a run, writes nothing and keeps nothing.

    Args:
        recipe: of the run.
        device: "cpu", "cuda" or "auto".

    Yields:
        Progress while the dataset is fetched and while steps are taken.

    Raises:
        InputError: network, dataset or device cannot be used.
        TrainingError: a step fails, for want of memory for instance.
    """
    from explorer.training.engine import Engine
    from explorer.training.supply import load_material

    with threads(recipe.threads), memory_kept():
        material = yield from load_material(recipe)
        yield Progress("Trying a step", 0, 0)
        engine = Engine(recipe, material, device)
        try:
            return _measure(engine)
        except TrainingError:
            raise
        except Exception as error:  # a user's network may raise anything
            if is_out_of_memory(error):
                raise full_memory(error, recipe, engine) from None
            reason = " ".join(str(error).split()) or type(error).__name__
            raise TrainingError(f"{recipe.architecture} fails in training: {reason}") from error
        finally:
            engine.train.close()


def _measure(engine: Engine) -> Preflight:
    import psutil
    import torch

    recipe, cuda = engine.recipe, engine.device.kind == "cuda"
    pixels, labels = next(engine.train.batches())
    second = recipe.unfreeze - 1 if recipe.unfreeze else 0
    begun = psutil.Process().memory_info().rss
    with _peak(cuda) as peak:
        before = _step_seconds(engine, 0, pixels, labels) if second else 0.0
        step = _step_seconds(engine, second, pixels, labels)
    since = time.perf_counter()
    engine.judge(pixels)
    if cuda:
        torch.cuda.synchronize()
    judging = (time.perf_counter() - since) / len(labels) * len(engine.material.validation.labels)
    epoch = step * engine.steps_per_epoch + judging
    return Preflight(
        device=engine.device.kind,
        device_name=engine.device.name,
        params=engine.params,
        train_images=engine.train.count,
        validation_images=len(engine.material.validation.labels),
        steps_per_epoch=engine.steps_per_epoch,
        step_seconds=step,
        epoch_seconds=epoch,
        run_seconds=epoch * recipe.epochs - (step - before) * engine.steps_per_epoch * second,
        peak_bytes=peak[0] if peak else None,
        largest_batch=_largest(engine) if cuda else _reckoned(engine, peak[0] - begun) if peak else None,
    )


def _step_seconds(engine: Engine, epoch: int, pixels: Tensor, labels: Tensor) -> float:
    """Returns the median of what some steps of an epoch, from 0, take."""
    import torch

    engine.begin_epoch(epoch)
    engine.step(pixels, labels, 0)  # the first one makes the optimiser's state
    engine.step(pixels, labels, 1)
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < TRIALS and (not times or time.perf_counter() - begun < PATIENCE):
        since = time.perf_counter()
        engine.step(pixels, labels, len(times) + 2)
        if engine.device.kind == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


@contextmanager
def _peak(cuda: bool) -> Iterator[list[int]]:
    """Gives a list that holds the most memory that was taken meanwhile, once it is over, where that can be known."""
    import torch

    peak: list[int] = []
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak.append(torch.cuda.max_memory_allocated())
        return
    try:  # Linux keeps the mark, and sets it back when asked
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        yield peak
        return
    yield peak
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak += [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]


def _largest(engine: Engine) -> int | None:
    """Returns the largest batch that fits, doubling the recipe's until one does not; the engine is spoilt by it."""
    size = engine.recipe.batch_size // engine.recipe.accumulate
    best = None
    while size <= engine.train.count and fits(engine, size):
        best, size = size, size * 2
    return best


def _reckoned(engine: Engine, taken: int) -> int:
    """Returns the largest batch that fits by what the steps so far have taken of the machine's memory, in bytes."""
    import psutil
    from torch.utils._pytree import tree_leaves

    gradients = [parameter.grad for parameter in engine.network.parameters() if parameter.grad is not None]
    state = [value for value in tree_leaves(engine.optimiser.state_dict()) if hasattr(value, "nbytes")]
    of_images = taken - sum(tensor.nbytes for tensor in (*gradients, *state))  # which stays with the process
    size = engine.recipe.batch_size // engine.recipe.accumulate
    room = (psutil.virtual_memory().available + of_images) // max(of_images, 1) * size
    doublings = int(math.log2(max(min(room, engine.train.count) / size, 1)))
    return int(size * 2**doublings)
