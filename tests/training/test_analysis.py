"""The results of real runs, checked against scikit-learn's metrics and the run's own figures."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from sklearn import metrics

from explorer.errors import InputError
from explorer.training.analysis import Analysis, Part, analyse, load_part, picture
from explorer.training.events import Epoch, Evaluating, Finished
from explorer.training.fit import fit
from explorer.training.recipe import Evaluation, Recipe
from explorer.training.run_folder import RunFolder

Result = TypeVar("Result")


def finish(generator: Generator[object, None, Result]) -> Result:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def results(folder: RunFolder, part: Part = "validation") -> Analysis:
    return finish(analyse(folder, finish(load_part(folder, part)), part, "cpu"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    recipe = Recipe(batch_size=64, epochs=2)
    folder = RunFolder.create(recipe, tmp_path_factory.mktemp("analysis") / "run")
    for _ in fit(recipe, folder, "cpu"):
        pass
    return folder


@pytest.fixture(scope="module")
def analysis(run: RunFolder) -> Analysis:
    return results(run)


def test_accuracy_is_what_the_best_epoch_was_credited_with(run: RunFolder, analysis: Analysis) -> None:
    best = max(event["validation_accuracy"] for event in run.metrics() if event["event"] == "epoch")
    assert analysis.accuracy == best
    assert len(analysis.samples) == 359
    assert analysis.classes == tuple("0123456789")


def test_mean_loss_is_the_validation_loss_of_the_best_epoch(run: RunFolder, analysis: Analysis) -> None:
    epochs = [event for event in run.metrics() if event["event"] == "epoch"]
    best = max(epochs, key=lambda event: event["validation_accuracy"])
    assert np.mean([sample.loss for sample in analysis.samples]) == pytest.approx(best["validation_loss"], rel=1e-5)


@pytest.mark.parametrize(("evaluation", "views"), [("mirror", 2), ("ten-crop", 10)])
def test_images_are_judged_by_the_views_of_the_runs_own_evaluation(
    tmp_path: Path, evaluation: Evaluation, views: int
) -> None:
    recipe = Recipe(batch_size=512, accumulate=2, epochs=1, evaluation=evaluation)
    folder = RunFolder.create(recipe, tmp_path / "run")
    (epoch,) = (event for event in fit(recipe, folder, "cpu") if isinstance(event, Epoch))
    found = results(folder)
    assert (found.views, found.accuracy) == (views, epoch.validation_accuracy)
    assert np.mean([sample.loss for sample in found.samples]) == pytest.approx(epoch.validation_loss, rel=1e-5)
    assert found.top5_accuracy == epoch.validation_top5


def test_counts_are_those_of_scikit_learn(analysis: Analysis) -> None:
    labels = [sample.label for sample in analysis.samples]
    predictions = [sample.prediction for sample in analysis.samples]
    expected = metrics.confusion_matrix(labels, predictions, labels=range(10))
    assert np.array_equal(analysis.confusion, expected)
    recalls = metrics.recall_score(labels, predictions, average=None, labels=range(10), zero_division=0)
    assert analysis.class_accuracies == pytest.approx(recalls)
    assert analysis.accuracy == pytest.approx(metrics.accuracy_score(labels, predictions))


def test_labels_are_those_of_the_images(run: RunFolder, analysis: Analysis) -> None:
    images = finish(load_part(run, "validation"))
    assert [sample.label for sample in analysis.samples] == images.labels.tolist()
    assert [sample.index for sample in analysis.samples] == list(range(359))
    assert picture(images, 5, 64).shape == (8, 8)
    assert np.array_equal(picture(images, 5, 64), images.images[5, 0].numpy())  # type: ignore[union-attr]


def test_hardest_are_those_with_the_highest_loss(analysis: Analysis) -> None:
    hardest = analysis.hardest(12)
    losses = sorted((sample.loss for sample in analysis.samples), reverse=True)
    assert [sample.loss for sample in hardest] == losses[:12]


def test_a_cell_holds_as_many_images_as_it_counts(analysis: Analysis) -> None:
    for label in range(10):
        for prediction in range(10):
            cell = analysis.cell(label, prediction)
            assert len(cell) == analysis.confusion[label][prediction]
            assert list(cell) == sorted(cell, key=lambda sample: -sample.probability)


def test_top_five_is_no_less_than_top_one(analysis: Analysis) -> None:
    assert analysis.accuracy <= analysis.top5_accuracy <= 1
    for sample in analysis.samples:
        assert sample.among_five or sample.label != sample.prediction
        if sample.label == sample.prediction:
            assert sample.loss == pytest.approx(-np.log(sample.probability), abs=1e-4)


def test_test_images_give_the_accuracy_that_the_run_ended_with(tiny_mnist: Callable[[int, int], Path]) -> None:
    recipe = Recipe("lenet5", "mnist", str(tiny_mnist(200, 60)), batch_size=50, epochs=1)
    folder = RunFolder.create(recipe)
    *_, finished = fit(recipe, folder, "cpu")
    assert isinstance(finished, Finished)
    assert results(folder, "test").accuracy == finished.test_accuracy
    assert len(results(folder, "test").samples) == 60


def test_looking_disturbs_no_random_numbers(run: RunFolder, analysis: Analysis) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    assert results(run) == analysis
    assert torch.equal(torch.rand(3), expected)


def test_progress_reaches_all_images(run: RunFolder) -> None:
    images = finish(load_part(run, "validation"))
    events = list(analyse(run, images, "validation", "cpu"))
    assert events[-1] == Evaluating(359, 359)
    assert [event.done for event in events] == [128, 256, 359]


def test_what_is_missing_is_told(run: RunFolder, tmp_path: Path) -> None:
    fresh = RunFolder.create(Recipe(), tmp_path / "fresh")
    with pytest.raises(InputError, match="has no best weights yet"):
        results(fresh)
    with pytest.raises(InputError, match="has no test set of its own"):
        results(run, "test")
    gone = RunFolder.create(replace(Recipe(dataset="mnist"), data_dir=str(tmp_path / "nowhere")), tmp_path / "gone")
    with pytest.raises(InputError, match="nowhere"):
        results(gone)
    (fresh.path / "best.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        results(fresh)
