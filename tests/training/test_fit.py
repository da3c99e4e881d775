from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.data.datasets import ImageSet, load_dataset, split
from explorer.data.download import Progress
from explorer.data.preprocessing import fit_to_input, normalise
from explorer.errors import InputError
from explorer.tasks.weights_file import load_weights
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps, to_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe, default_recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]
Losses = Callable[[Iterable[Event]], list[float]]
Results = Callable[[Iterable[Event]], list[tuple[object, ...]]]
Write = Callable[[str], str]
T = TypeVar("T")


def of_kind(events: Iterable[Event], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def value_of(generator: Generator[object, None, Any]) -> Any:
    """What a generator returns when it has come to its end."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def digits() -> ImageSet:
    return value_of(load_dataset("digits")).train


def until(events: Iterable[Event], kind: type) -> None:
    """Lets training go on until such an event."""
    for event in events:
        if isinstance(event, kind):
            return


def accuracy_of(folder: RunFolder, images: ImageSet) -> float:
    """What the saved weights come to, by other means than training's own."""
    spec, weights = load_weights(folder.path / "best.safetensors")
    network = build(entry(spec.architecture), spec.preprocessing.input, "cpu", **spec.options)
    network.load_state_dict(weights)
    network.eval()
    with torch.no_grad():
        logits = network(normalise(fit_to_input(images.images, spec.preprocessing), spec.preprocessing))
    return float((logits.argmax(1) == images.labels).double().mean())


def test_lenet5_learns_the_digits(train: Train) -> None:
    recipe = default_recipe("lenet5", "digits")
    folder, events = train(recipe)
    finished = of_kind(events, Finished)[0]
    epochs = of_kind(events, Epoch)
    assert finished.best_accuracy >= 0.97
    assert epochs[-1].train_loss < 0.1 * epochs[0].train_loss
    assert finished.best_accuracy == max(epoch.validation_accuracy for epoch in epochs)
    held_out = split(digits(), recipe.validation, recipe.seed)[1]
    assert len(held_out.labels) == 359
    assert accuracy_of(folder, held_out) == finished.best_accuracy


def test_same_seed_gives_the_same_numbers_in_any_thread(
    train: Train, short: Recipe, losses: Losses, results: Results
) -> None:
    _, first = train(short)
    _, second = train(short)
    collected: list[Event] = []
    thread = threading.Thread(target=lambda: collected.extend(train(short)[1]))
    thread.start()
    thread.join()
    assert losses(first) == losses(second) == losses(collected)
    assert results(first) == results(second) == results(collected)


def test_numbers_do_not_depend_on_how_often_they_are_reported(
    train: Train, short: Recipe, losses: Losses, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for seconds in (0.0, 60.0):
        monkeypatch.setattr("explorer.training.fit.REPORT_EVERY", seconds)
        runs.append(train(short)[1])
    often, seldom = runs
    assert len(of_kind(often, Steps)) == 12
    assert len(of_kind(seldom, Steps)) == 2
    assert losses(often) == losses(seldom)
    assert results(often) == results(seldom)


def test_another_seed_gives_other_numbers(train: Train, short: Recipe, losses: Losses) -> None:
    first, other = (losses(train(replace(short, seed=seed))[1]) for seed in (0, 1))
    assert not set(first) & set(other)


def test_images_come_in_another_order_in_each_epoch(train: Train, short: Recipe, losses: Losses) -> None:
    # A rate so small that the weights stay as they are: only the choice of images makes a difference.
    _, events = train(replace(short, learning_rate=1e-9, augmentation="none"))
    values = losses(events)
    assert all(abs(one - other) > 1e-4 for one, other in zip(values[:6], values[6:], strict=True))


def test_events_come_in_order_and_cover_every_step_once(every_step: None, train: Train, short: Recipe) -> None:
    folder, events = train(replace(short, epochs=3))
    names = [type(event).__name__ for event in events]
    after = {
        "Progress": {"Progress", "Started"},
        "Started": {"Steps"},
        "Steps": {"Steps", "LayerRatios", "Evaluating"},
        "LayerRatios": {"Steps", "Evaluating"},
        "Evaluating": {"Evaluating", "Epoch"},
        "Epoch": {"Steps", "Finished"},
    }
    assert all(later in after[earlier] for earlier, later in pairwise(names))
    assert [names[0], names[-1]] == ["Progress", "Finished"]
    assert names.count("Started") == names.count("Finished") == 1
    (started,) = of_kind(events, Started)
    assert (started.run, started.architecture, started.dataset) == (str(folder.path), "lenet5", "digits")
    assert (started.device, started.precision, started.params, started.step) == ("cpu", "32-true", 61_706, 0)
    assert (started.train_images, started.validation_images, started.test_images) == (1438, 359, 0)
    assert (started.steps_per_epoch, started.epochs) == (6, 3)
    position = 0
    for event in of_kind(events, Steps):
        position += len(event.losses)
        assert (event.step, event.epoch) == (position, (position - 1) // 6 + 1)
        assert event.images_per_second > 0
        assert event.seconds_left >= 0
    assert position == 18
    assert [(event.epoch, event.step) for event in of_kind(events, Epoch)] == [(1, 6), (2, 12), (3, 18)]
    assert of_kind(events, Steps)[-1].seconds_left == 0


def test_progress_of_an_evaluation_reaches_its_end(every_step: None, train: Train, short: Recipe) -> None:
    _, events = train(replace(short, epochs=1, batch_size=150))
    assert [(event.done, event.total) for event in of_kind(events, Evaluating)] == [(150, 359), (300, 359), (359, 359)]


def test_result_of_an_epoch_is_the_mean_over_its_images(every_step: None, train: Train, short: Recipe) -> None:
    _, events = train(replace(short, epochs=1))
    sizes = [256] * 5 + [1438 - 5 * 256]
    values = [event.losses[0] for event in of_kind(events, Steps)]
    (epoch,) = of_kind(events, Epoch)
    assert epoch.train_loss == pytest.approx(sum(v * n for v, n in zip(values, sizes, strict=True)) / 1438, rel=1e-12)
    assert (epoch.train_accuracy * 1438) == pytest.approx(round(epoch.train_accuracy * 1438), abs=1e-9)


def test_learning_rate_follows_the_schedule_over_the_whole_run(every_step: None, train: Train, short: Recipe) -> None:
    from explorer.training.schedule import rate_at

    _, events = train(replace(short, schedule="one-cycle"))
    rates = [event.learning_rate for event in of_kind(events, Steps)]
    assert rates == [rate_at(replace(short, schedule="one-cycle"), step, 6) for step in range(12)]


def test_best_epoch_is_the_first_of_the_highest_accuracy(train: Train, short: Recipe) -> None:
    folder, events = train(replace(short, epochs=6, learning_rate=0.3, schedule="constant"))
    epochs = of_kind(events, Epoch)
    accuracies = [epoch.validation_accuracy for epoch in epochs]
    assert [epoch.best for epoch in epochs] == [a > max([-1.0, *accuracies[:n]]) for n, a in enumerate(accuracies)]
    finished = of_kind(events, Finished)[0]
    assert (finished.best_epoch, finished.best_accuracy) == (accuracies.index(max(accuracies)) + 1, max(accuracies))
    assert accuracy_of(folder, split(digits(), short.validation, short.seed)[1]) == max(accuracies)


def test_equal_accuracy_is_no_better(train: Train, short: Recipe) -> None:
    _, events = train(replace(short, learning_rate=1e-9))
    assert [epoch.best for epoch in of_kind(events, Epoch)] == [True, False]


def test_file_of_metrics_holds_the_events(every_step: None, train: Train, short: Recipe) -> None:
    folder, events = train(short)
    told = [event for event in events if not isinstance(event, Progress | Evaluating)]
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(json.dumps(to_document(event))) for event in told]


def test_every_event_is_valid_json(every_step: None, train: Train, short: Recipe) -> None:
    for event in train(short)[1]:
        assert json.loads(json.dumps(to_document(event), allow_nan=False))["event"] == type(event).__name__.lower()


def test_finished_event_is_what_the_generator_returns(short: Recipe) -> None:
    recipe = replace(short, epochs=1)
    folder = RunFolder.create(recipe)
    finished = value_of(fit(recipe, folder, "cpu"))
    assert json.loads(json.dumps(to_document(finished))) == list(folder.metrics())[-1]


METRICS = {"events.out.tfevents.metrics", "metrics.index", "metrics.jsonl"}


def test_run_leaves_nothing_but_its_own_files(train: Train, short: Recipe) -> None:
    folder, _ = train(short)
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"best.safetensors", "last.ckpt", "recipe.toml", "run.lock"} | METRICS


def test_test_images_judge_the_best_epoch(
    train: Train, network_file: Write, tiny_mnist: Callable[[int, int], Path]
) -> None:
    name = network_file(  # learns in the first epoch, of eight steps, and is blind from then on
        "def build(self):\n"
        "    self.register_buffer('steps', torch.zeros(()))\n"
        "def forward(self, x):\n"
        "    self.steps += self.training\n"
        "    return self.flat(x) * (self.steps <= 8)"
    )
    place = tiny_mnist(200, 70)
    recipe = Recipe(name, "mnist", str(place), input=(1, 8, 8), epochs=3, batch_size=20, learning_rate=0.3)
    folder, events = train(recipe)
    (finished,) = of_kind(events, Finished)
    assert of_kind(events, Started)[0].test_images == 70
    assert finished.best_epoch == 1
    assert finished.test_accuracy == accuracy_of(folder, value_of(load_dataset("mnist", place)).test)
    assert finished.test_accuracy > 0.15


def test_saved_weights_say_what_they_are(train: Train, short: Recipe) -> None:
    folder, _ = train(replace(short, options={"activation": "relu"}, input=(1, 24, 40)))
    spec, _ = load_weights(folder.path / "best.safetensors")
    assert (spec.architecture, spec.options) == ("lenet5", {"activation": "relu", "num_classes": 10})
    assert spec.preprocessing.input == (1, 24, 40)
    assert spec.classes == tuple("0123456789")
    pixels = normalise(split(digits(), 0.2, 0)[0].images, spec.preprocessing)
    assert float(pixels.mean()) == pytest.approx(0, abs=1e-4)
    assert float(pixels.std()) == pytest.approx(1, abs=1e-3)


def test_grey_images_train_a_network_for_colour(train: Train) -> None:
    _, events = train(Recipe("resnet20_cifar", batch_size=512, epochs=1, input=(3, 8, 8), augmentation="flip and crop"))
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    ("optimiser", "rate"), [("sgd", 0.2), ("rmsprop", 0.003), ("adam", 0.003), ("adamw", 0.003), ("lamb", 0.05)]
)
def test_other_optimisers_learn_too(train: Train, short: Recipe, losses: Losses, optimiser: str, rate: float) -> None:
    values = losses(train(replace(short, optimiser=optimiser, learning_rate=rate, schedule="constant"))[1])
    assert values[-1] < 0.8 * values[0]


def test_labels_are_smoothed_in_training_alone(train: Train, network_file: Write) -> None:
    name = network_file("def forward(self, x):\n    return 30 * self.flat(x)")
    recipe = Recipe(name, batch_size=512, epochs=1, learning_rate=1e-9, input=(1, 8, 8))
    (plain,), (smooth,) = (of_kind(train(replace(recipe, label_smoothing=share))[1], Epoch) for share in (0.0, 0.5))
    assert abs(smooth.train_loss - plain.train_loss) > 0.1
    assert smooth.validation_loss == pytest.approx(plain.validation_loss, rel=1e-4)


def test_mixed_precision_works_on_the_processor(train: Train, short: Recipe, losses: Losses) -> None:
    _, events = train(replace(short, epochs=1, precision="bf16"))
    plain = losses(train(replace(short, epochs=1))[1])
    assert of_kind(events, Started)[0].precision == "bf16-mixed"
    assert losses(events) != plain
    assert losses(events) == pytest.approx(plain, rel=0.05)


def test_auxiliary_classifiers_take_part_in_training_only(
    train: Train, network_file: Write, losses: Losses, short: Recipe
) -> None:
    plain = "def forward(self, x):\n    return self.flat(x)"
    double = "def forward(self, x):\n    y = self.flat(x)\n    return (y, y) if self.training else y"
    recipe = replace(short, epochs=1, batch_size=2000, input=(1, 8, 8))
    first = losses(train(replace(recipe, architecture=network_file(plain)))[1])
    assert losses(train(replace(recipe, architecture=network_file(double)))[1]) == pytest.approx([1.3 * first[0]])


def test_batch_larger_than_the_set_is_the_whole_set(train: Train, short: Recipe) -> None:
    _, events = train(replace(short, batch_size=1_000_000))
    assert of_kind(events, Started)[0].steps_per_epoch == 1
    assert [len(event.losses) for event in of_kind(events, Steps)] == [1, 1]


def test_last_batch_of_a_single_image_is_left_out(train: Train, network_file: Write) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.norm = nn.BatchNorm1d(10)\n"
        "def forward(self, x):\n"
        "    return self.norm(self.flat(x))"
    )
    _, events = train(Recipe(name, batch_size=479, epochs=1, input=(1, 8, 8)))  # 3 × 479 + 1 = 1438
    assert of_kind(events, Started)[0].steps_per_epoch == 3
    assert isinstance(events[-1], Finished)


def test_weights_that_two_layers_share_are_saved(train: Train, network_file: Write) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.once, self.twice = nn.Linear(10, 10), nn.Linear(10, 10)\n"
        "    self.twice.weight = self.once.weight\n"
        "def forward(self, x):\n"
        "    return self.twice(self.once(self.flat(x)))"
    )
    folder, events = train(Recipe(name, batch_size=256, epochs=1, input=(1, 8, 8)))
    assert accuracy_of(folder, split(digits(), 0.2, 0)[1]) == of_kind(events, Finished)[0].best_accuracy


def test_lazy_layers_get_their_size_first(train: Train, network_file: Write) -> None:
    name = network_file(
        "def build(self):\n    self.lazy = nn.LazyLinear(10)\ndef forward(self, x):\n    return self.lazy(x.flatten(1))"
    )
    _, events = train(Recipe(name, batch_size=256, epochs=1, input=(1, 8, 8)))
    assert of_kind(events, Started)[0].params == 2 * 650


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"architecture": "lenet6"}, "no network is called 'lenet6'.*did you mean lenet5"),
        ({"dataset": "digit"}, "there is no dataset 'digit': did you mean digits"),
        ({"options": {"num_classes": 7}}, "num_classes must be 10, as digits has: leave it out"),
        ({"options": {"num_classes": "many"}}, "num_classes must be a whole number"),
        ({"options": {"activation": "gelu"}}, "activation must be one of tanh, relu, sigmoid, not 'gelu'"),
        ({"options": {"depth": 3}}, "lenet5 has no option 'depth'"),
        ({"input": (1, 4, 4)}, "4×4"),
        ({"architecture": "resnet20_cifar", "input": (1, 32, 32)}, "resnet20_cifar cannot classify images of 1×32×32"),
        ({"precision": "fp16"}, "fp16 needs a CUDA device"),
        ({"data_dir": "/nowhere", "dataset": "mnist"}, "MNIST is not in /nowhere"),
    ],
    ids=str,
)
def test_recipe_that_cannot_be_trained_is_refused(short: Recipe, change: dict[str, object], reason: str) -> None:
    recipe = replace(short, **change)
    folder = RunFolder.create(recipe)
    with pytest.raises(InputError, match=reason) as caught:
        list(fit(recipe, folder, "cpu"))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.path.iterdir()) == ["recipe.toml", "run.lock"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_refused(short: Recipe) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        list(fit(short, RunFolder.create(short), "cuda"))


def test_share_that_holds_nothing_out_is_refused(tiny_mnist: Callable[[int, int], Path]) -> None:
    recipe = Recipe(dataset="mnist", data_dir=str(tiny_mnist(20, 10)), validation=0.01)
    with pytest.raises(InputError, match="cannot be held out: choose a fraction"):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def forward(self, x):\n    return {'out': self.flat(x)}", "a classifier gives a tensor of logits.*dict"),
        ("def forward(self, x):\n    return self.flat(x)[:, :3]", r"gives \(3,\) values an image.*has 10 classes"),
        ("def forward(self, x):\n    return x", r"gives \(1, 8, 8\) values an image"),
        ("def forward(self, x):\n    return {}['no']", "cannot classify images of 1×8×8: 'no'"),
        (
            "def build(self):\n    del self.flat\ndef forward(self, x):\n    return x.flatten(1)[:, :10]",
            "has no parameters to train: choose another network",
        ),
    ],
)
def test_network_that_is_no_trainable_classifier_is_refused(network_file: Write, body: str, reason: str) -> None:
    recipe = Recipe(network_file(body), input=(1, 8, 8))
    with pytest.raises(InputError, match=reason) as caught:
        list(fit(recipe, RunFolder.create(recipe), "cpu"))
    assert "\n" not in str(caught.value)


def no_parts(folder: RunFolder) -> bool:
    return not list(folder.path.glob("*.part"))


def test_loss_that_is_no_number_ends_training_at_its_step(short: Recipe, every_step: None) -> None:
    recipe = replace(short, options={"activation": "relu"}, learning_rate=1000, epochs=3, schedule="constant")
    folder = RunFolder.create(recipe)
    with pytest.raises(
        TrainingError, match=r"the loss of step \d+ \(epoch \d\) is (nan|inf), .*: try a lower"
    ) as caught:
        list(fit(recipe, folder, "cpu"))
    last = max(event["step"] for event in folder.metrics())
    assert f"step {last + 1} (epoch {last // 6 + 1})" in str(caught.value)
    assert no_parts(folder)
    for event in folder.metrics():
        json.dumps(event, allow_nan=False)


def test_validation_loss_that_is_no_number_ends_training(network_file: Write) -> None:
    name = network_file(
        "trained = False\n"
        "def forward(self, x):\n"
        "    self.trained = self.trained or self.training\n"
        "    return self.flat(x) * (float('nan') if self.trained and not self.training else 1)"
    )
    recipe = Recipe(name, batch_size=512, epochs=2, input=(1, 8, 8))
    folder = RunFolder.create(recipe)
    with pytest.raises(TrainingError, match=r"the validation loss \(epoch 1\) is nan: try a lower learning rate"):
        list(fit(recipe, folder, "cpu"))
    assert {path.name for path in folder.path.iterdir()} == {"recipe.toml", "run.lock"} | METRICS


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("raise IndexError('no such\\nlayer')", r"Net fails in training: IndexError: no such layer"),
        ("x = torch.empty(2**50)", "the memory is full at a batch size of 512, and no smaller one fits: choose a"),
        ("x = torch.zeros(3, 3) @ x.flatten(1)", "Net fails in training: RuntimeError: mat1 and mat2"),
    ],
)
def test_network_that_fails_in_training_is_told_in_one_line(network_file: Write, failure: str, reason: str) -> None:
    name = network_file(f"def forward(self, x):\n    if self.training:\n        {failure}\n    return self.flat(x)")
    recipe = Recipe(name, batch_size=512, epochs=1, input=(1, 8, 8))
    folder = RunFolder.create(recipe)
    before = torch.get_num_threads()
    with pytest.raises(TrainingError, match=reason) as caught:
        list(fit(recipe, folder, "cpu"))
    assert "\n" not in str(caught.value)
    assert torch.get_num_threads() == before
    assert no_parts(folder)


def test_run_folder_that_vanishes_is_told(short: Recipe, every_step: None, tmp_path: Path) -> None:
    folder = RunFolder.create(short)
    events = fit(short, folder, "cpu")
    until(events, Steps)
    folder.path.rename(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match=r"metrics\.jsonl cannot be written \(No such file or directory\)"):
        list(events)
    assert not folder.path.exists()


def test_run_folder_that_vanishes_before_closing_is_told(short: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.create(short)
    events = fit(short, folder, "cpu")
    until(events, Started)
    folder.path.rename(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match=r"last\.ckpt cannot be written \(No such file or directory\)"):
        events.close()
    assert not folder.path.exists()


@pytest.mark.parametrize("end", ["closed", "dropped", "finished", "failed"])
def test_number_of_threads_is_restored(short: Recipe, network_file: Write, end: str) -> None:
    broken = network_file("def forward(self, x):\n    return self.flat(x) if not self.training else 1 / 0")
    architecture, size = (broken, (1, 8, 8)) if end == "failed" else ("lenet5", None)
    recipe = replace(short, architecture=architecture, input=size, epochs=1, threads=2)
    torch.set_num_threads(3)
    events = fit(recipe, RunFolder.create(recipe), "cpu")
    assert torch.get_num_threads() == 3
    until(events, Started)
    assert torch.get_num_threads() == 2
    if end == "closed":
        events.close()
    elif end == "dropped":
        del events
        gc.collect()
    elif end == "finished":
        list(events)
    else:
        with pytest.raises(TrainingError, match="ZeroDivisionError"):
            list(events)
    assert torch.get_num_threads() == 3
