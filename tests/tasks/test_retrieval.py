"""The cross-modal loss by hand, and the precision of rankings beside scikit-learn and the Wikipedia pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from explorer.architectures.registry import build, entry
from explorer.tasks.retrieval import loss, mean_average_precision


def test_the_loss_is_the_three_terms_of_the_paper() -> None:
    images = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    texts = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    image_scores, text_scores = torch.tensor([[1.0, 0.0], [3.0, 1.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 1])
    discrimination = (0 + 3) / 2 + (1 + 0) / 2

    def likeness(cosines: list[tuple[float, int]]) -> float:
        return sum(math.log(1 + math.exp(c / 2)) - same * c / 2 for c, same in cosines) / 4

    terms = (
        likeness([(1, 1), (0, 0), (0, 0), (1, 1)])
        + likeness([(0.6, 1), (0, 0), (0.8, 0), (1, 1)])
        + likeness([(1, 1), (0.8, 0), (0.8, 0), (1, 1)])
    )
    invariance = (4 + 1) / 2
    outputs = (images, texts, image_scores, text_scores)
    assert loss(outputs, labels, 0, 0).item() == pytest.approx(discrimination)
    assert loss(outputs, labels, 1, 0).item() == pytest.approx(discrimination + terms, abs=1e-6)
    assert loss(outputs, labels).item() == pytest.approx(discrimination + 1e-3 * terms + 0.1 * invariance, abs=1e-6)


def test_the_gradient_is_finite_where_everything_is_right_already() -> None:
    points = torch.zeros(2, 3, requires_grad=True)
    scores = torch.eye(2, requires_grad=True)
    loss((points, points, scores, scores), torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_precision_of_a_ranking_by_hand() -> None:
    query = torch.tensor([[1.0, 0.0]])
    gallery = torch.tensor([[1.0, 0.1], [1.0, 0.5], [2.0, 0.5], [-1.0, 0.0]])  # ranked 0, 2, 1, 3
    found = mean_average_precision(query, gallery, torch.tensor([7]), torch.tensor([7, 7, 1, 7]))
    assert found == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert mean_average_precision(query, gallery, torch.tensor([5]), torch.tensor([7, 7, 1, 7])) == 0


def test_precision_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score
    from sklearn.metrics.pairwise import cosine_similarity

    generator = torch.Generator().manual_seed(0)
    queries, gallery = torch.randn(12, 5, generator=generator), torch.randn(40, 5, generator=generator)
    labels, others = torch.randint(3, (12,), generator=generator), torch.randint(3, (40,), generator=generator)
    cosines = cosine_similarity(queries.numpy(), gallery.numpy())
    expected = [
        average_precision_score((others == label).numpy(), row) for label, row in zip(labels, cosines, strict=True)
    ]
    assert mean_average_precision(queries, gallery, labels, others) == pytest.approx(np.mean(expected), abs=1e-6)


def wikipedia(shared_data: Callable[..., Path]) -> dict[str, Tensor]:
    """Image (128) and text features (10) of 2,173 training and 693 test pairs, standardised, and their classes."""
    from scipy.io import loadmat  # type: ignore[import-untyped]

    raw = loadmat(shared_data("retrieval", "wiki", "raw_features.mat"))
    found: dict[str, Tensor] = {}
    for part, letters in (("tr", "train"), ("te", "test")):
        lines = shared_data("retrieval", "wiki", f"{letters}set_txt_img_cat.list").read_text().splitlines()
        found[f"label_{part}"] = torch.tensor([int(line.split("\t")[2]) - 1 for line in lines])
        for kind in "IT":
            train = raw[f"{kind}_tr"]
            scaled = (raw[f"{kind}_{part}"] - train.mean(0)) / train.std(0)
            found[f"{kind}_{part}"] = torch.tensor(scaled, dtype=torch.float32)
    return found


def test_semantic_matching_of_wikipedia_has_the_precision_measured_elsewhere(shared_data: Callable[..., Path]) -> None:
    """Class probabilities of each modality for itself, compared by correlation: 0.295 and 0.219."""
    from sklearn.linear_model import LogisticRegression

    data = wikipedia(shared_data)
    points = {}
    for kind in "IT":
        model = LogisticRegression(max_iter=1000, tol=1e-2).fit(data[f"{kind}_tr"].numpy(), data["label_tr"].numpy())
        probabilities = torch.tensor(model.predict_proba(data[f"{kind}_te"].numpy()))
        points[kind] = probabilities - probabilities.mean(1, keepdim=True)
    labels = data["label_te"]
    assert mean_average_precision(points["I"], points["T"], labels, labels) == pytest.approx(0.295, abs=0.01)
    assert mean_average_precision(points["T"], points["I"], labels, labels) == pytest.approx(0.219, abs=0.01)


@pytest.mark.slow
def test_the_loss_brings_images_and_texts_together(shared_data: Callable[..., Path]) -> None:
    data = wikipedia(shared_data)
    labels = data["label_te"]
    torch.manual_seed(0)
    network = build(entry("dscmr"), (128, 1, 1), text_features=10, num_classes=10, hidden=256, common=64)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def precision() -> float:
        with torch.no_grad():
            images, texts, _, _ = network(data["I_te"], data["T_te"])
        forth = mean_average_precision(images, texts, labels, labels)
        return (forth + mean_average_precision(texts, images, labels, labels)) / 2

    assert precision() < 0.15
    for _ in range(5):
        for chosen in torch.randperm(len(data["label_tr"])).split(100):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            outputs = network(data["I_tr"][chosen], data["T_tr"][chosen])
            loss(outputs, data["label_tr"][chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    assert precision() > 0.22
