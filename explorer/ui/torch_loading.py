"""Loads PyTorch behind the window without freezing it.

An import holds the interpreter's lock for as long as the system's loader maps and relocates torch's libraries, and the
garbage collector walks hundreds of thousands of new objects again and again meanwhile: together, gaps of 400 ms on the
GUI thread. So the libraries are mapped first by a call that does not hold the lock, and the collector rests.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_lock = threading.Lock()
_loaded: list[Engine] = []


@dataclass(frozen=True, slots=True)
class Engine:
    """What computes."""

    torch: str
    """Its version."""
    device: str
    """Name of the processor that trains: a GPU where there is one."""


def load_torch() -> Engine:
    """Imports torch and torchvision once and gets their first use over with; not for the GUI thread."""
    with _lock:
        if not _loaded:
            with _collector_at_rest():
                _loaded.append(_load())
        return _loaded[0]


def load_the_rest() -> None:
    """Imports what the other pages and the rest of the list need, so that they open at once."""
    load_torch()
    with _lock, _collector_at_rest():
        import lightning_fabric  # noqa: F401
        import timm  # noqa: F401

        from explorer.ui.classify import page as classify_page  # noqa: F401
        from explorer.ui.train import page as train_page  # noqa: F401


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is loaded stays: later collections, which halt every thread, need not look at it
        if enabled:
            gc.enable()


def _load() -> Engine:
    if sys.platform == "linux":
        _map_libraries()
    import torch
    import torchvision  # noqa: F401

    from explorer.inspection import capture  # noqa: F401
    from explorer.training.device import choose_device

    with torch.no_grad():  # the first operation on meta loads a great deal more
        torch.nn.Conv2d(1, 1, 1, device="meta")(torch.zeros(1, 1, 1, 1, device="meta"))
    return Engine(torch.__version__, choose_device("auto", "32").name)


def _map_libraries() -> None:
    """Opens torch's libraries by a foreign call: those run without the interpreter's lock."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return
    folder = Path(found.origin).parent / "lib"
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
    dlopen.restype = ctypes.c_void_p
    for name, flags in (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch_python.so", 0)):
        dlopen(str(folder / name).encode(), os.RTLD_LAZY | flags)  # where it fails, the import below tells why
