"""Real networks for the tests of the graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from explorer.inspection.anatomy import Anatomy


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
