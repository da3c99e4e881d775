"""Finding texts by an image and images by a text: a loss that makes one space of both, and the precision of a ranking.

Zhen, Hu, Wang and Peng, "Deep Supervised Cross-Modal Retrieval", CVPR 2019; the terms are those of the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LIKENESS_WEIGHT = 1e-3
"""λ of the paper in the authors' code: how much the likeness of two points counts."""

INVARIANCE_WEIGHT = 0.1
"""μ of the paper in the authors' code: how much the distance of a pair counts."""


def loss(
    outputs: tuple[Tensor, Tensor, Tensor, Tensor],
    labels: Tensor,
    likeness_weight: float = LIKENESS_WEIGHT,
    invariance_weight: float = INVARIANCE_WEIGHT,
) -> Tensor:
    """Returns J1 + λ J2 + μ J3 of a batch of pairs.

    J1 is the distance of the class scores from the label's unit vector, in both modalities. J2 is the negative
    log-likelihood that two points are of one class, with half their cosine as the logit, within each modality and
    between them. J3 is the distance of the two points of a pair.

    Args:
        outputs: image points (B, D), text points (B, D), image scores (B, classes), text scores (B, classes).
        labels: class of each pair, (B,).
        likeness_weight: λ.
        invariance_weight: μ.
    """
    images, texts, *scores = outputs
    target = functional.one_hot(labels, scores[0].shape[1]).to(images.dtype)
    discrimination = sum((_distance(score, target) for score in scores), start=images.new_zeros(()))
    same = target @ target.T  # (B, B)
    pairs = ((images, images), (images, texts), (texts, texts))
    likeness = sum((_likeness(a, b, same) for a, b in pairs), start=images.new_zeros(()))
    return discrimination + likeness_weight * likeness + invariance_weight * _distance(images, texts)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Returns the mean Euclidean distance of the rows."""
    distances: Tensor = torch.linalg.vector_norm(a - b, dim=1)
    return distances.mean()


def _likeness(a: Tensor, b: Tensor, same: Tensor) -> Tensor:
    """Returns the mean over all pairs of log(1 + e^Γ) - S Γ, where Γ is half the cosine and S whether classes agree."""
    logits = _cosines(a, b) / 2
    return (functional.softplus(logits) - same * logits).mean()


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    return functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T


def mean_average_precision(queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor) -> float:
    """Returns how well the gallery, ranked by its cosine with each query, puts those of the query's class first.

    The precision is taken at the rank of each item of the class and averaged over them, then over the queries; the
    whole gallery is ranked. A query whose class is not in the gallery counts 0.

    Args:
        queries: points (Q, D).
        gallery: points (N, D).
        query_labels: (Q,).
        gallery_labels: (N,).
    """
    order = _cosines(queries, gallery).argsort(dim=1, descending=True, stable=True)  # (Q, N)
    right = (gallery_labels[order] == query_labels[:, None]).to(torch.float64)
    ranks = torch.arange(1, gallery.shape[0] + 1, device=right.device)
    precision = right.cumsum(1) / ranks
    average = (precision * right).sum(1) / right.sum(1).clamp(min=1)
    return float(average.mean())
