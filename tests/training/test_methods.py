"""Ways to train that a recipe can choose, each in short runs on the digits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.tasks.weights_file import load_weights
from explorer.training.engine import Engine
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Event, Finished, Steps, from_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.supply import load_material
from explorer.training.transfer import layers_up_to

Train = Callable[..., tuple[RunFolder, list[Event]]]
Losses = Callable[[Iterable[Event]], list[float]]
Write = Callable[[str], str]


def value_of(generator: Generator[object, None, Any]) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def engine_of(recipe: Recipe) -> Engine:
    engine = Engine(recipe, value_of(load_material(recipe)), "cpu")
    engine.begin_epoch(0)
    return engine


def from_documents(folder: RunFolder) -> list[Event]:
    return [event for event in map(from_document, folder.metrics()) if event is not None]


def epochs(events: Iterable[Event]) -> list[Epoch]:
    return [event for event in events if isinstance(event, Epoch)]


@pytest.mark.parametrize("settings", [{}, {"mixup": 0.4, "clip_norm": 0.5}], ids=["plain", "mixed"])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(short: Recipe, settings: dict[str, Any]) -> None:
    recipe = replace(short, batch_size=103, **settings)
    results = []
    for parts in (1, 4, 103):
        engine = engine_of(replace(recipe, accumulate=parts))
        pixels, labels = next(engine.train.batches())
        loss, right = engine.step(pixels, labels, 0)
        results.append((float(loss), int(right), [p.detach().clone() for p in engine.network.parameters()]))
    for loss, right, weights in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-6)
        assert right == results[0][1]
        for ours, whole in zip(weights, results[0][2], strict=True):
            torch.testing.assert_close(ours, whole, rtol=1e-4, atol=1e-6)


def test_gradient_is_told_and_clipped(short: Recipe, every_step: None, train: Train) -> None:
    norms = [event.grad_norm for event in train(short)[1] if isinstance(event, Steps)]
    assert all(norm is not None and norm > 0 for norm in norms)
    engine = engine_of(replace(short, clip_norm=0.01, momentum=0.0, optimiser="sgd", weight_decay=0.0))
    before = [parameter.detach().clone() for parameter in engine.network.parameters()]
    engine.set_rate(1.0)
    engine.step(*next(engine.train.batches()), 0)
    moved = [(after.detach() - b).flatten() for after, b in zip(engine.network.parameters(), before, strict=True)]
    assert float(torch.cat(moved).norm()) == pytest.approx(0.01, rel=1e-3)
    norm = engine.gradient_norm()
    assert norm == pytest.approx(norms[0], rel=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"mixup": 0.2, "cutmix": 1.0, "erasing": 0.25, "augmentation": "alexnet", "evaluation": "ten-crop"},
        {"average": 0.9, "accumulate": 3, "channels_last": True, "evaluation": "mirror", "warm_up": 0.5},
        {"augmentation": "trivial", "schedule": "step", "clip_norm": 1.0, "optimiser": "lamb", "learning_rate": 0.01},
        {
            "freeze": "features",
            "unfreeze": 2,
            "refreeze": "features.c1",
            "unfreeze_rate": 0.01,
            "optimiser": "nesterov",
        },
        {"freeze": "features", "unfreeze": 2, "unfreeze_rate": 0.001, "unfreeze_optimiser": "adam"},
    ],
    ids=["mixed", "averaged", "trivial", "unfrozen", "other optimiser"],
)
def test_every_way_to_train_goes_on_after_an_interruption(
    every_step: None, short: Recipe, train: Train, losses: Losses, settings: dict[str, Any]
) -> None:
    recipe = replace(short, input=(1, 28, 28), batch_size=719, **settings)
    reference, told = train(recipe)
    folder = RunFolder.create(recipe)
    for turn, stop in enumerate((1, 2)):  # once in each epoch
        events = fit(recipe, folder, "cpu", resume=turn > 0)
        for event in events:
            stop -= isinstance(event, Steps)
            if stop == 0:
                break
        events.close()
    assert isinstance(list(fit(recipe, folder, "cpu", resume=True))[-1], Finished)
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    for name in ("model", "average"):
        for key in theirs.get(name, {}):
            assert torch.equal(ours[name][key], theirs[name][key]), key
    (spec, best), (wanted_spec, wanted) = (load_weights(run.path / "best.safetensors") for run in (folder, reference))
    assert spec == wanted_spec
    assert all(torch.equal(best[key], value) for key, value in wanted.items())
    assert losses(from_documents(folder)) == losses(told)


def test_average_is_what_is_judged_and_kept(short: Recipe, train: Train) -> None:
    folder, events = train(replace(short, average=0.9, learning_rate=0.1))
    checkpoint = folder.load_checkpoint()
    assert checkpoint is not None
    assert epochs(events)[-1].best
    _, weights = load_weights(folder.path / "best.safetensors")
    for name, value in weights.items():
        assert torch.equal(value, checkpoint["average"][name])
        assert not torch.equal(value, checkpoint["model"][name])


def test_run_ends_when_it_gets_no_better(short: Recipe, train: Train) -> None:
    recipe = replace(short, epochs=30, patience=2, learning_rate=1e-9)
    folder, events = train(recipe)
    assert [epoch.best for epoch in epochs(events)] == [True, False, False]
    assert isinstance(events[-1], Finished)
    assert (events[-1].epochs, events[-1].best_epoch) == (3, 1)
    again = list(fit(recipe, folder, "cpu", resume=True))
    assert again[-1] == events[-1]
    assert not epochs(again)


def test_frozen_layers_keep_weights_and_statistics(short: Recipe, train: Train) -> None:
    recipe = Recipe("resnet20_cifar", input=(3, 8, 8), batch_size=719, epochs=2, freeze="stage1")
    fresh = engine_of(recipe).network.state_dict()
    fresh = {name: value.clone() for name, value in fresh.items()}
    folder, _ = train(recipe)
    checkpoint = folder.load_checkpoint()
    assert checkpoint is not None
    kept = {name for name, value in checkpoint["model"].items() if torch.equal(value, fresh[name])}
    frozen = {name for name in fresh if name.startswith(("conv1", "bn1", "stage1"))}
    assert frozen
    assert kept == frozen


def test_second_phase_trains_what_was_frozen(short: Recipe, train: Train) -> None:
    recipe = replace(short, epochs=3, freeze="features", unfreeze=3, refreeze="features.c1", batch_size=512)
    engine = engine_of(recipe)
    fresh = {name: value.clone() for name, value in engine.network.state_dict().items()}
    for epoch, kept in ((0, {"features.c1", "features.c3"}), (1, {"features.c1", "features.c3"}), (2, {"features.c1"})):
        engine.begin_epoch(epoch)
        engine.step(*next(engine.train.batches(epoch)), epoch)
        same = {n.rpartition(".")[0] for n, v in engine.network.state_dict().items() if torch.equal(v, fresh[n])}
        assert same == kept


def test_second_phase_may_have_another_optimiser(short: Recipe) -> None:
    recipe = replace(short, epochs=2, freeze="features", unfreeze=2, refreeze="features.c1")
    engine = engine_of(replace(recipe, unfreeze_optimiser="adam"))
    for number, (pixels, labels) in enumerate(engine.train.batches(0)):
        engine.step(pixels, labels, number)
    first = engine.optimiser.optimizer
    engine.begin_epoch(0)
    assert engine.optimiser.optimizer is first
    engine.begin_epoch(1)
    assert isinstance(engine.optimiser.optimizer, torch.optim.Adam)
    assert not engine.optimiser.optimizer.state
    before = {name: value.clone() for name, value in engine.network.state_dict().items()}
    engine.set_rate(1e-3)
    engine.step(*next(engine.train.batches(1)), 6)
    for name, value in engine.network.state_dict().items():
        # Adam's first step is the rate, up or down, wherever there is a gradient to speak of.
        expected = 0.0 if name.startswith("features.c1") else 1e-3
        assert float((value - before[name]).abs().max()) == pytest.approx(expected, rel=1e-2), name


@pytest.mark.parametrize("optimiser", ["same", "rmsprop"])
def test_run_goes_on_where_one_phase_has_ended_and_the_other_has_not_begun(
    short: Recipe, train: Train, optimiser: Any
) -> None:
    recipe = replace(short, epochs=3, freeze="features", unfreeze=2, unfreeze_rate=1e-3, unfreeze_optimiser=optimiser)
    reference, _ = train(recipe)
    folder = RunFolder.create(recipe)
    for _ in range(3):
        for event in (events := fit(recipe, folder, "cpu", resume=True)):
            if isinstance(event, Epoch):
                break
        events.close()
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    assert ours["progress"]["epoch"] == theirs["progress"]["epoch"] == 3
    assert all(torch.equal(ours["model"][name], value) for name, value in theirs["model"].items())


def test_layers_are_counted_up_to_the_named_one() -> None:
    network = build(entry("lenet5"))
    assert [type(layer).__name__ for layer in layers_up_to(network, "features.act1")][-2:] == ["Conv2d", "Tanh"]
    assert layers_up_to(network, "features")[-1] is network.features[-1]
    assert layers_up_to(network, "") == []
    with pytest.raises(InputError, match=r"no layer 'feature' to freeze up to: did you mean features"):
        layers_up_to(network, "feature")


def test_run_begins_with_the_weights_of_another(short: Recipe, train: Train) -> None:
    folder, _ = train(short)
    spec, best = load_weights(folder.path / "best.safetensors")
    for place in (folder.path, folder.path / "best.safetensors"):
        engine = engine_of(replace(short, weights=str(place), seed=5))
        assert all(torch.equal(value, best[name]) for name, value in engine.network.state_dict().items())
        assert engine.preprocessing.mean == spec.preprocessing.mean


def test_installed_weights_begin_a_classifier_of_other_classes() -> None:
    from explorer.tasks.pretrained import load_pretrained

    recipe = Recipe("efficientnet_lite0", input=(3, 64, 64), weights="pretrained", freeze="bn2")
    engine = engine_of(recipe)
    spec, weights = load_pretrained("efficientnet_lite0")
    own = engine.network.state_dict()
    assert all(torch.equal(own[name], weights[name]) for name in own if not name.startswith("classifier"))
    assert own["classifier.weight"].shape == (10, 1280)
    assert engine.preprocessing.mean == spec.preprocessing.mean
    trained = [name for name, value in engine.network.named_parameters() if value.requires_grad]
    assert trained == ["classifier.weight", "classifier.bias"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weights": "/nowhere"}, "no weights at /nowhere: give a run's folder"),
        ({"weights": "pretrained"}, "no published weights of lenet5 are known: give a safetensors file"),
        ({"freeze": "features.c9"}, "no layer 'features.c9' to freeze up to: did you mean features.c"),
        ({"freeze": "output"}, "no parameters to train"),
    ],
)
def test_beginning_that_cannot_be_had_is_refused(short: Recipe, settings: dict[str, Any], reason: str) -> None:
    recipe = replace(short, **settings)
    with pytest.raises(InputError, match=reason):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))


def test_weights_of_another_network_are_refused(short: Recipe, train: Train, tmp_path: Path) -> None:
    folder, _ = train(replace(short, epochs=1))
    for changes, reason in (
        ({"input": (1, 28, 28)}, r"c5.weight of \(120, 400\) and not \(120, 256\)"),
        ({"architecture": "resnet20_cifar"}, "have no conv1.weight: they are of another network than resnet20_cifar"),
    ):
        recipe = replace(short, weights=str(folder.path), **changes)
        with pytest.raises(InputError, match=reason):
            list(fit(recipe, RunFolder.create(recipe), "cpu"))
    (tmp_path / "no.safetensors").write_bytes(b"\x7fELF")
    recipe = replace(short, weights=str(tmp_path / "no.safetensors"))
    with pytest.raises(InputError, match="not a readable safetensors file"):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))


def test_layer_where_numbers_end_is_named(network_file: Write, every_step: None) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.steps, self.root = 0, nn.Sequential(nn.ReLU(), nn.Linear(10, 10))\n"
        "def forward(self, x):\n"
        "    self.steps += self.training\n"
        "    y = self.flat(x)\n"
        "    return self.root(y * float('inf') if self.steps > 2 else y)"
    )
    recipe = Recipe(name, batch_size=512, epochs=2, input=(1, 8, 8))
    folder = RunFolder.create(recipe)
    with pytest.raises(TrainingError, match=r"the loss of step 3 \(epoch 1\) is nan, first in root\.0 \(ReLU\): try"):
        list(fit(recipe, folder, "cpu"))


def test_batch_that_fits_is_offered_where_memory_is_full(network_file: Write) -> None:
    name = network_file(
        "def forward(self, x):\n"
        "    if self.training and len(x) > 100:\n"
        "        torch.empty(2**50)\n"
        "    return self.flat(x)"
    )
    recipe = Recipe(name, batch_size=512, epochs=1, input=(1, 8, 8))
    offer = "full at a batch size of 512: 64 fit, choose batch_size=64, or accumulate=8 for the same steps in parts"
    with pytest.raises(TrainingError, match=offer):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))
    recipe = replace(recipe, accumulate=8)
    assert isinstance(list(fit(recipe, RunFolder.create(recipe), "cpu"))[-1], Finished)


def test_checkpoint_is_written_in_the_middle_of_an_epoch(
    short: Recipe, every_step: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.training.fit.SAVE_EVERY", 0.0)
    monkeypatch.setattr("explorer.training.fit.SAVING_SHARE", float("inf"))
    folder = RunFolder.create(short)
    for event in fit(short, folder, "cpu"):
        if isinstance(event, Steps):
            checkpoint = folder.load_checkpoint()
            assert checkpoint is not None
            assert checkpoint["progress"]["position"] + 6 * checkpoint["progress"]["epoch"] == event.step


def test_slow_disk_is_left_alone(short: Recipe, every_step: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.training.fit.SAVE_EVERY", 0.0)
    monkeypatch.setattr("explorer.training.fit.SAVING_SHARE", 1e-9)
    written = []
    monkeypatch.setattr(RunFolder, "save_checkpoint", lambda self, state: written.append(state["progress"]["position"]))
    list(fit(short, RunFolder.create(short), "cpu"))
    assert written == [1, 0, 0]  # the first tells how long it takes; then only at the end of an epoch


def test_network_that_needs_its_channels_in_front_says_so(network_file: Write) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.conv = nn.Conv2d(1, 2, 3, padding=1)\n"
        "def forward(self, x):\n"
        "    return self.flat(self.conv(x).view(len(x), -1)[:, :64])"
    )
    recipe = Recipe(name, batch_size=512, epochs=1, input=(1, 8, 8), channels_last=True)
    with pytest.raises(TrainingError, match="cannot take its channels last: set channels_last=false"):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_network_learns_the_same(short: Recipe, train: Train, losses: Losses) -> None:
    plain, compiled = (losses(train(replace(short, compiled=wanted, epochs=1))[1]) for wanted in (False, True))
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_network_that_cannot_be_compiled_says_so(
    short: Recipe, monkeypatch: pytest.MonkeyPatch, network_file: Write
) -> None:
    name = network_file(
        "def forward(self, x):\n"
        "    if self.training:\n"
        "        from torch._dynamo.exc import BackendCompilerFailed\n"
        "        raise BackendCompilerFailed(print, RuntimeError('no compiler'), None)\n"
        "    return self.flat(x)"
    )
    recipe = Recipe(name, batch_size=512, epochs=1, input=(1, 8, 8), compiled=True)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)
    with pytest.raises(TrainingError, match=r"torch.compile cannot compile .*no compiler.*: set compiled=false"):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))
