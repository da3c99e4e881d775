"""What is said of a training that has failed, and of the way out."""

from __future__ import annotations

from textwrap import shorten

from explorer.training.engine import Engine
from explorer.training.errors import TrainingError
from explorer.training.memory import full_memory, is_out_of_memory
from explorer.training.recipe import Recipe


def explain(error: Exception, recipe: Recipe, engine: Engine | None) -> TrainingError:
    """Returns the exception to raise for whatever network, torch or system have raised.

    Args:
        error: what was raised.
        recipe: by which the network is trained.
        engine: tries which batch fits into the memory, where that is full; None where it cannot.
    """
    text = " ".join(str(error).split())
    name = recipe.architecture
    if is_out_of_memory(error):
        return full_memory(error, recipe, engine)
    if recipe.compiled and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return TrainingError(f"torch.compile cannot compile {name} here ({shorten(text, 200)}): set compiled=false")
    if "DataLoader worker" in text:  # torch tells of its end wherever the run happens to be
        return TrainingError(
            "a process that decodes images ended unexpectedly, perhaps for want of memory: go on with --resume, or "
            "choose smaller batches"
        )
    if recipe.channels_last and "view size is not compatible" in text:
        return TrainingError(f"{name} cannot take its channels last: set channels_last=false")
    return TrainingError(f"{name} fails in training: {type(error).__name__}: {text}")
