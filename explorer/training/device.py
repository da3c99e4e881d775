"""Which processor trains, at which precision, and what it is called."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from explorer.data.cores import available_cores, trainings_here
from explorer.errors import InputError


@dataclass(frozen=True, slots=True)
class Device:
    """A processor as training uses it."""

    kind: str
    """`cpu` or `cuda`."""
    name: str
    """Its own name, for people."""
    precision: str
    """As Lightning Fabric names it: `32-true`, `bf16-mixed`, `16-mixed`."""


def choose_device(wanted: str, precision: str) -> Device:
    """Returns the device to train on.

    Args:
        wanted: "cpu", "cuda" or "auto" (CUDA where there is one).
        precision: a recipe's precision.

    Raises:
        InputError: CUDA is wanted and there is none.
    """
    import torch

    if wanted not in ("cpu", "cuda", "auto"):
        raise InputError(f"device must be cpu, cuda or auto, not {wanted!r}")
    cuda = wanted != "cpu" and torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise InputError("there is no CUDA device that torch can use here: choose cpu or auto")
    if precision == "auto":
        precision = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if cuda else "32"
    if precision == "fp16" and not cuda:
        raise InputError("fp16 needs a CUDA device: choose 32 or bf16")
    named = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}[precision]
    return Device("cuda" if cuda else "cpu", torch.cuda.get_device_name() if cuda else cpu_name(), named)


def cpu_name() -> str:
    """Returns the processor's own name, or its architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def training_threads(wanted: int) -> int:
    """Returns how many CPU threads train: as many as wanted, or as OMP_NUM_THREADS has it, or one a core.

    Of more than two cores one is left to the window; of two, half the speed would be too much to pay for that. Where
    several trainings are on this machine, each of them gets its part.
    """
    available, trainings = available_cores(), trainings_here()
    if trainings > 1:  # OMP_NUM_THREADS is torchrun's own then
        return wanted or max(1, available // trainings)
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return wanted or (int(chosen) if chosen.isdecimal() else 0) or (available - 1 if available > 2 else available)


@contextmanager
def threads(wanted: int) -> Iterator[None]:
    """Has torch use so many threads for a while, `training_threads` of them where 0 are wanted."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(training_threads(wanted))
    try:
        yield
    finally:
        torch.set_num_threads(before)
