"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: threads of their own would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


DEEP = {"preact_resnet1001_cifar", "resnet1202_cifar"}
"""Networks of a thousand layers: each of the tests that go through the whole catalogue takes seconds with them."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        deep = any(
            value in DEEP for value in (getattr(value, "name", value) for value in values) if isinstance(value, str)
        )
        if deep and item.path.name != "test_conformance.py":
            item.add_marker(pytest.mark.slow)


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
