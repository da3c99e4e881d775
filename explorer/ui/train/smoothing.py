"""The exponential moving average of a series, freed of its bias towards the start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 32
"""Values that one row of a product of matrices averages."""
_SLICE = 32
"""Rows of one product."""


def smooth(values: NDArray[np.float64], weight: float, before: int = 0, last: float = 0.0) -> NDArray[np.float64]:
    """Returns a_t / (1 − w^t), where a_t = w a_(t−1) + (1 − w) y_t and a_0 = 0.

    The division is the bias correction of Kingma and Ba, "Adam", 2015, section 3; TensorBoard smooths its curves so.

    Args:
        values: y, from the first or from where an earlier call ended.
        weight: w, above 0 and below 1.
        before: how many values came earlier.
        last: what was returned for the last of those.
    """
    import numpy as np

    places = np.arange(_CHUNK)
    lags = places[:, None] - places[None, :]
    kernel = np.where(lags >= 0, (1 - weight) * weight ** np.maximum(lags, 0), 0.0)
    decay = weight ** (places + 1.0)
    chunks = -(-len(values) // _CHUNK)
    padded = np.zeros(chunks * _CHUNK)
    padded[: len(values)] = values
    rows = padded.reshape(chunks, _CHUNK)
    # A slice at a time: a large product would wake the threads that training computes with.
    averages = np.concatenate([rows[begin : begin + _SLICE] @ kernel.T for begin in range(0, chunks, _SLICE)])
    carry, carries = last * (1 - weight**before), np.empty(chunks)
    whole = float(decay[-1])
    for chunk, end in enumerate(averages[:, -1].tolist()):
        carries[chunk] = carry
        carry = whole * carry + end
    averages += carries[:, None] * decay
    smoothed: NDArray[np.float64] = averages.ravel()[: len(values)]
    biased = min(len(values), max(math.ceil(-37 / math.log(weight)) - before, 0))  # e^-37 is lost on 1 in 64 bits
    smoothed[:biased] /= 1 - weight ** (before + 1.0 + np.arange(biased))
    return smoothed
