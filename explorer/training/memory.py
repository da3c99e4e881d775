"""Telling that the memory is full, and what fits."""

from __future__ import annotations

import math
import traceback

from explorer.training.engine import Engine
from explorer.training.errors import TrainingError
from explorer.training.recipe import Recipe


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether memory was what failed, on the device or in the machine."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def free(error: BaseException) -> None:
    """Lets go of what the frames of a failure hold.

    Nothing is collected here: this may be a thread beside a window's, which must not destroy widgets.
    """
    import torch

    failure: BaseException | None = error
    while failure is not None:
        if failure.__traceback__ is not None:
            traceback.clear_frames(failure.__traceback__)
        failure = failure.__context__
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fits(engine: Engine, batch_size: int) -> bool:
    """Returns whether a step with so many images at once fits into the memory; the engine is spoilt for training."""
    try:
        engine.try_step(batch_size)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        free(error)
        return False
    return True


def full_memory(error: BaseException, recipe: Recipe, engine: Engine | None) -> TrainingError:
    """Returns the exception that tells of a full memory, with the batch that fits: halved until a step succeeds.

    Args:
        error: the failure; what it holds is let go.
        recipe: of the run.
        engine: of the run, which is over; None where it failed before its first step.
    """
    free(error)
    told = f"the memory is full at a batch size of {recipe.batch_size}"
    size = recipe.batch_size // recipe.accumulate
    if engine is not None:
        size = min(size, engine.train.count)
        while (size := size // 2) >= 1:
            if fits(engine, size):
                parts = math.ceil(recipe.batch_size / size)
                return TrainingError(
                    f"{told}: {size} fit, choose batch_size={size}, or accumulate={parts} for the same steps in parts",
                    parts,
                )
    return TrainingError(
        f"{told}, and no smaller one fits: choose a smaller network or input"
        if engine
        else f"{told}: choose a smaller one"
    )
