"""The memory of a network as JSON and as a line of text."""

from __future__ import annotations

from typing import Any

from explorer.errors import InputError
from explorer.inspection.memory import OPTIMISERS, PRECISIONS, TrainingMemory, TrainingSetup, inference_memory
from explorer.inspection.portrait import Portrait


def memory_document(portrait: Portrait, setup: TrainingSetup | None = None) -> dict[str, Any]:
    """Returns memory at inference, and of a step of training where a setup is given, as plain values for JSON.

    What cannot be had is null, with a reason.
    """
    anatomy = portrait.anatomy
    if portrait.failure_text:
        return {"inference": None, "training": None, "reason": portrait.failure_text}
    inference = inference_memory(anatomy)
    training, reason = _training(portrait, setup)
    return {
        "inference": {
            "batch_size": inference.batch,
            "peak_bytes": inference.peak_bytes,
            "at_layer": inference.peak_layer,
            "input_bytes": inference.input_bytes,
            "params_bytes": anatomy.param_bytes,
            "buffers_bytes": anatomy.buffer_bytes,
        },
        "training": training
        and {
            "batch_size": training.setup.batch,
            "optimiser": training.setup.optimiser,
            "precision": training.setup.precision,
            "peak_bytes": training.peak_bytes,
            "phase": training.phase,
            "bytes": {part.name: part.bytes for part in training.parts},
            "bytes_at_peak": {part.name: part.at_peak for part in training.parts},
        },
        "reason": reason,
    }


def memory_lines(portrait: Portrait, setup: TrainingSetup | None = None) -> list[str]:
    """Returns a summary, a line for inference and one for training; none where the network failed half-way."""
    if portrait.failure_text:
        return []
    inference = inference_memory(portrait.anatomy)
    text = f"Memory beside the weights, one image: {inference.peak_bytes:,} bytes at most"
    if inference.peak_layer >= 0:
        text += f", at {portrait.anatomy.layers[inference.peak_layer].name}"
    training, reason = _training(portrait, setup)
    if training is None:
        return [text] if reason is None else [text, f"Memory of a step of training: not known, {reason}"]
    used = training.setup
    how = f"batch of {used.batch}, {OPTIMISERS[used.optimiser]}, {PRECISIONS[used.precision]}"
    return [text, f"Memory of a step of training ({how}): {training.peak_bytes:,} bytes at most"]


def _training(portrait: Portrait, setup: TrainingSetup | None) -> tuple[TrainingMemory | None, str | None]:
    if setup is None:
        return None, None
    from explorer.inspection.training_memory import training_memory  # imports torch

    try:
        return training_memory(portrait, setup), None
    except InputError as error:
        return None, str(error)
