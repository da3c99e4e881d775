"""How many processor cores there are for this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Returns on how many cores the system lets this process run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def trainings_here() -> int:
    """Returns how many trainings torchrun has started on this machine, this one included; usually 1."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
