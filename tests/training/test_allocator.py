"""Freed memory stays in the process while it trains."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

import pytest
import torch

from explorer.training.allocator import memory_kept

resource = pytest.importorskip("resource", reason="page faults are counted on Unix alone")


def faults(work: Callable[[], object]) -> int:
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    work()
    return int(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)


def fill() -> None:
    """Takes 24 MB in pieces of three sizes, writes to every page and gives all back."""
    blocks = [torch.empty(size, dtype=torch.uint8).fill_(1) for size in (1 << 19, 4 << 20, 8 << 20) * 2]
    del blocks


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="needs glibc"
)
@pytest.mark.parametrize("beside", [False, True], ids=["main thread", "thread beside a window's"])
def test_pages_are_not_fetched_anew_for_every_step(beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    counts: list[int] = []

    def steps() -> None:
        with memory_kept():
            for _ in range(20):  # until the heap has its shape
                fill()
            counts.append(faults(lambda: [fill() for _ in range(10)]))

    if beside:
        thread = threading.Thread(target=steps)
        thread.start()
        thread.join()
    else:
        steps()
    assert counts[0] < 10 * (24 << 20) / 4096 / 10  # a tenth of all pages, ten times over
