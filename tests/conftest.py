"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def shared_data() -> Callable[..., Path]:
    """Returns a function that gives the path of real test data, and skips the test where it is absent."""
    root = Path(os.environ.get("EXPLORER_TEST_DATA", ROOT.parent / "shared" / "data"))

    def find(*parts: str) -> Path:
        path = root.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"needs the test data {Path(*parts)}; set EXPLORER_TEST_DATA to the folder that holds it")
        return path

    return find
