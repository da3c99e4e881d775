"""How many features a network's convolutional part gives for an input size."""

from __future__ import annotations

import torch
from torch import nn


def flattened_size(features: nn.Module, input: tuple[int, int, int], canonical: int) -> int:
    """Returns the length of the flattened output of `features` for one image.

    Args:
        features: modules on any device; they are run once on zeros.
        input: channels, height, width.
        canonical: what to answer for an input that `features` cannot take: the network is then built as for its own
            input, and running it tells at which layer it fails.
    """
    device = next(features.parameters()).device
    features.eval()  # batch normalisation would refuse one image, or take its statistics over
    try:
        with torch.no_grad():
            return int(features(torch.zeros(1, *input, device=device)).numel()) or canonical
    except RuntimeError:
        return canonical
    finally:
        features.train()
