"""Real networks for the tests of the graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from explorer.architectures.cards import catalogue, families
from explorer.inspection.anatomy import Anatomy

ALIKE = {known.name for known in catalogue()} - {known.name for known in families().values()}
"""Networks built as another one of their family is."""
THOROUGH = {"test_graph_export.py", "test_networks.py", "test_shape_arithmetic.py"}
"""Tests that look at every layer: with one network of a family they take long enough, all run with `-m slow`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.callspec.params.get("name") if hasattr(item, "callspec") else None
        if item.path.name in THOROUGH and name in ALIKE and "flop_counter" not in item.name:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def anatomy_of() -> Callable[[str], Anatomy]:
    """Returns a function that inspects one of torchvision's networks, once a name."""
    import torch
    from torchvision import models

    from explorer.inspection.capture import capture

    @cache
    def inspect(name: str) -> Anatomy:
        with torch.device("meta"):
            options = {"init_weights": False} if name == "googlenet" else {}
            network = models.get_model(name, weights=None, **options)
        return capture(network, [(1, 3, 224, 224)])

    return inspect
