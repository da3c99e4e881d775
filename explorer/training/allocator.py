"""What the C library does with memory that a step of training gives back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of mallopt(3)."""
PADDING = 256 << 20
"""A thread has heaps of 64 MB each in glibc; an empty one is given back unless the padding is larger than two."""
LARGEST = 2**31 - 1


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keeps freed memory in the process for the next step, until training is over.

    By default glibc gives large blocks back to the system as soon as they are free. The next step gets them as new
    pages, which the kernel fills with zeros one by one as they are touched: a step of LeNet-5 with 512 images touches
    10,000 of them, a quarter of its time. Other C libraries stay as they are, and so does one that the environment
    gives orders to.
    """
    library = _glibc()
    if library is None:
        yield
        return
    # The first call ends the threshold's adaptation for good, so there is no former state to go back to.
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, LARGEST)
    library.mallopt(TOP_PAD, PADDING)
    try:
        yield
    finally:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if os.name != "posix" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
