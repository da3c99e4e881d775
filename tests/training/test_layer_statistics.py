"""What is told of the layers is true, and looking changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from explorer.training import layer_statistics
from explorer.training.engine import Engine
from explorer.training.events import (
    Event,
    LayerRatios,
    LayerRequest,
    LayerRow,
    LayerStatistics,
    Steps,
    from_document,
    to_document,
)
from explorer.training.fit import fit
from explorer.training.histogram import BINS, dead_units, histogram
from explorer.training.layer_statistics import LayerWatch
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.supply import Material, load_material

NORMALISED = """
def build(self):
    self.head = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6))
    self.act = nn.ReLU(inplace=True)
    self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6))
    self.pool = nn.AdaptiveAvgPool2d(8)
    self.flat[1] = nn.Linear(6 * 64, 10)
def forward(self, x):
    x = self.act(self.head(x))
    return self.flat(self.pool(self.act(self.body(x) + x)))
"""
Look = Callable[..., tuple[LayerRatios, LayerStatistics, Engine]]


@pytest.fixture(autouse=True)
def _every_step(every_step: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(layer_statistics, "RATIOS_EVERY", 0.0)
    monkeypatch.setattr(layer_statistics, "RATIOS_SHARE", math.inf)


def material_of(recipe: Recipe) -> Material:
    loading = load_material(recipe)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            material: Material = end.value
            return material


@pytest.fixture
def look() -> Look:
    """Returns a function that takes some steps of a recipe, looks at the last one, and gives the engine before it."""

    def run(recipe: Recipe, steps: int = 2) -> tuple[LayerRatios, LayerStatistics, Engine]:
        material = material_of(recipe)
        engine, before = (Engine(recipe, material, "cpu") for _ in range(2))
        watch = LayerWatch(engine.network)
        for each in (engine, before):
            each.begin_epoch(0)
        for number, (pixels, labels) in enumerate(engine.train.batches(0)):
            if number == steps - 1:
                watch.ask()
            with watch.step(number, engine.optimiser.optimizer):
                engine.step(pixels, labels, number)
            ratios, *statistics = watch.take()
            if number == steps - 1:
                assert isinstance(ratios, LayerRatios)
                assert isinstance(statistics[0], LayerStatistics)
                before.pixels, before.labels = pixels, labels
                return ratios, statistics[0], before
            before.step(pixels, labels, number)
        raise AssertionError("too few batches")

    return run


def by_name(statistics: LayerStatistics) -> dict[str, LayerRow]:
    rows = {row.name: row for row in statistics.layers}
    assert len(rows) == len(statistics.layers)
    return rows


def outputs_of(engine: Engine) -> dict[str, list[torch.Tensor]]:
    """Takes the next step and returns what each leaf has given, call by call."""
    found: dict[str, list[torch.Tensor]] = {}
    for name, module in engine.network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: found.setdefault(name, []).append(output.detach().clone())
            )
    engine.step(engine.pixels, engine.labels, 1)
    return found


@pytest.fixture(params=["lenet5", "normalised"])
def name(request: pytest.FixtureRequest, network_file: Callable[[str], str]) -> str:
    return "lenet5" if request.param == "lenet5" else network_file(NORMALISED)


def recipe_of(name: str, **changes: object) -> Recipe:
    plain = Recipe(architecture=name, batch_size=64, input=None if name == "lenet5" else (1, 8, 8))
    return replace(plain, **changes)


@pytest.mark.parametrize("optimiser", ["nesterov", "adamw"])
def test_ratio_is_that_of_the_weights_before_and_after(look: Look, name: str, optimiser: str) -> None:
    ratios, statistics, engine = look(recipe_of(name, optimiser=optimiser, weight_decay=0.01))
    before = {key: value.detach().double().numpy().copy() for key, value in engine.network.named_parameters()}
    engine.step(engine.pixels, engine.labels, 1)
    after = {key: value.detach().double().numpy() for key, value in engine.network.named_parameters()}
    gradients = {key: value.grad.double().numpy().copy() for key, value in engine.network.named_parameters()}
    layers = dict.fromkeys(key.rpartition(".")[0] for key in before)
    assert [layer for layer, _ in ratios.ratios] == [*layers]
    assert ratios.step == statistics.step == 2
    rows = by_name(statistics)
    for layer, ratio in ratios.ratios:
        keys = [key for key in before if key.rpartition(".")[0] == layer]
        moved = math.sqrt(sum(((after[key] - before[key]) ** 2).sum() for key in keys))
        length = math.sqrt(sum((before[key] ** 2).sum() for key in keys))
        gradient = math.sqrt(sum((gradients[key] ** 2).sum() for key in keys))
        assert ratio == pytest.approx(moved / length, rel=1e-3)
        row = rows[layer]
        assert (row.ratio, row.weight_norm) == (ratio, pytest.approx(length, rel=1e-5))
        assert row.gradient_norm == pytest.approx(gradient, rel=1e-5)
        for told, values in ((row.weights, before), (row.gradients, gradients)):
            numbers = np.concatenate([values[key].ravel() for key in keys])
            assert told is not None
            assert told.counts == tuple(np.histogram(numbers, BINS, (told.low, told.high))[0])
            assert (told.low, told.high) == (numbers.min(), numbers.max()) or numbers.min() == numbers.max()
            assert (told.mean, told.std) == pytest.approx((numbers.mean(), numbers.std()), abs=1e-9)
            assert told.total == numbers.size


def test_activations_are_those_of_every_leaf_and_call(look: Look, name: str) -> None:
    _, statistics, engine = look(recipe_of(name))
    rows, outputs = by_name(statistics), outputs_of(engine)
    calls = {
        layer if place == 0 else f"{layer} ({place + 1})": output
        for layer, given in outputs.items()
        for place, output in enumerate(given)
    }
    told = {layer: row.activations for layer, row in rows.items() if row.activations is not None}
    passed_on = {layer for layer, module in engine.network.named_modules() if isinstance(module, nn.Flatten)}
    assert told.keys() == calls.keys() - passed_on
    for layer, found in told.items():
        numbers = calls[layer].double().numpy()
        assert found.total == sum(found.counts) == numbers.size
        assert found.zeros == (numbers == 0).sum()
        assert (found.mean, found.std) == pytest.approx((numbers.mean(), numbers.std()), abs=1e-8)
        assert found.counts == tuple(np.histogram(numbers, BINS)[0])
        alive = (numbers != 0).any(axis=tuple(axis for axis in range(numbers.ndim) if axis != 1))
        assert (rows[layer].dead, rows[layer].units) == ((~alive).sum(), numbers.shape[1])
    order = [layer for layer, _ in engine.network.named_modules()]
    assert [order.index(row.name.partition(" ")[0]) for row in statistics.layers] == sorted(
        order.index(row.name.partition(" ")[0]) for row in statistics.layers
    )


def test_dead_units_and_numbers_that_are_none_are_counted() -> None:
    output = torch.zeros(4, 5, 3, 3)
    output[2, 1, 0, 0] = 1.0
    output[:, 3] = math.nan
    output[0, 4, 1, 1] = -math.inf
    assert dead_units(output) == (2, 5)
    found = histogram([output])
    assert (found.non_finite, found.zeros, found.total) == (37, 180 - 38, 180)
    assert (found.low, found.high, sum(found.counts)) == (0.0, 1.0, 143)
    assert dead_units(torch.eye(3)[:, :2]) == (0, 2)
    assert dead_units(torch.zeros(2, 7, 4)) == (4, 4)
    assert histogram([torch.full((3,), math.inf)]).counts == (0,) * BINS
    ones = histogram([torch.ones(5, dtype=torch.bfloat16)])
    assert (ones.low, ones.high, ones.mean, ones.std) == (0.5, 1.5, 1.0, 0.0)
    assert sum(ones.counts) == 5


def test_counts_are_exact_beyond_the_integers_of_32_bit_floats() -> None:
    many = torch.zeros(1, dtype=torch.float16).expand((1 << 24) + 3)
    assert max(histogram([many]).counts) == (1 << 24) + 3


def weights_of(recipe: Recipe, every: int) -> dict[str, torch.Tensor]:
    """Returns the last weights of a run in which every so many steps are looked at; none at all for 0."""
    folder = RunFolder.create(recipe)
    events = fit(recipe, folder, "cpu")
    looked = 0
    event: Event = next(events)
    while True:
        wanted = isinstance(event, Steps) and every > 0 and event.step % every == 0
        looked += isinstance(event, LayerStatistics)
        try:
            event = events.send(LayerRequest()) if wanted else next(events)
        except StopIteration:
            break
    assert bool(looked) == bool(every)
    state = folder.load_checkpoint()
    assert state is not None
    weights: dict[str, torch.Tensor] = state["model"]
    return weights


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip_norm": 0.1, "accumulate": 4, "optimiser": "adamw", "learning_rate": 0.001},
        {"average": 0.9, "channels_last": True, "freeze": "features.c1", "precision": "bf16"},
    ],
    ids=["plain", "parts", "average"],
)
def test_looking_changes_no_bit(short: Recipe, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(short, **changes)
    looked = weights_of(recipe, 2)
    monkeypatch.setattr(LayerWatch, "step", lambda watch, number, optimiser: layer_statistics.nullcontext())
    alone = weights_of(recipe, 0)
    assert all(torch.equal(looked[key], alone[key]) for key in alone)


def test_dropout_and_statistics_of_normalisation_stay_as_well(
    network_file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.body = nn.Sequential(nn.BatchNorm2d(1), nn.ReLU(inplace=True), nn.Dropout(0.5))\n"
        "def forward(self, x):\n"
        "    return self.flat(self.body(x))"
    )
    recipe = Recipe(architecture=name, input=(1, 8, 8), batch_size=256, epochs=1)
    looked = weights_of(recipe, 1)
    monkeypatch.setattr(LayerWatch, "step", lambda watch, number, optimiser: layer_statistics.nullcontext())
    alone = weights_of(recipe, 0)
    assert {"body.0.running_mean", "body.0.num_batches_tracked"} <= alone.keys()
    assert all(torch.equal(looked[key], alone[key]) for key in alone)


def test_frozen_layers_do_not_move_and_have_no_gradient(look: Look) -> None:
    ratios, statistics, _ = look(Recipe(freeze="features.c3", batch_size=64))
    moved = dict(ratios.ratios)
    assert (moved["features.c1"], moved["features.c3"]) == (0.0, 0.0)
    assert moved["c5"] is not None
    assert moved["c5"] > 0
    rows = by_name(statistics)
    assert rows["features.c1"].gradients is None
    assert rows["features.c1"].activations is not None


def test_gradients_are_those_that_the_optimiser_gets(look: Look) -> None:
    _, statistics, _ = look(Recipe(clip_norm=0.01, batch_size=64))
    norms = [row.gradient_norm for row in statistics.layers if row.gradient_norm is not None]
    assert math.hypot(*norms) == pytest.approx(0.01, rel=1e-3)


def test_of_a_batch_in_parts_the_first_part_is_shown(look: Look) -> None:
    _, whole, _ = look(Recipe(batch_size=64))
    _, parts, _ = look(Recipe(batch_size=64, accumulate=4))
    for one, other in zip(whole.layers, parts.layers, strict=True):
        assert one.activations is not None
        assert other.activations is not None
        assert one.activations.total == 4 * other.activations.total
        assert (one.ratio is None) == (other.ratio is None)
        assert one.ratio is None or one.ratio == pytest.approx(other.ratio, rel=1e-3)


def test_a_step_that_the_optimiser_skips_moves_nothing() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2, bias=False))
    nn.init.zeros_(network[1].weight)
    watch = LayerWatch(network)
    with watch.step(4, torch.optim.SGD(network.parameters(), 0.1)):
        pass  # as where a gradient scaler has found an infinite gradient
    assert [*watch.take()] == [LayerRatios(5, (("0", 0.0), ("1", None)))]


def test_hooks_are_gone_after_the_step_however_it_ends() -> None:
    network = nn.Sequential(nn.Linear(3, 2))
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    watch = LayerWatch(network)
    watch.ask()
    with pytest.raises(RuntimeError, match="shapes"), watch.step(0, optimiser):
        network(torch.zeros(1, 5))
    assert not network._forward_hooks
    assert not network[0]._forward_hooks
    assert not optimiser._optimizer_step_pre_hooks


def test_compiled_networks_tell_of_weights_and_gradients_alone() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    network.compile(backend="eager")
    watch, optimiser = LayerWatch(network), torch.optim.SGD(network.parameters(), 0.1)
    watch.ask()
    with watch.step(0, optimiser):
        network(torch.ones(4, 3)).sum().backward()
        optimiser.step()
    _, statistics = watch.take()
    assert isinstance(statistics, LayerStatistics)
    (row,) = statistics.layers
    assert (row.name, row.activations) == ("0", None)
    assert row.weights is not None
    assert row.gradients is not None


def test_shared_parameters_belong_to_the_first_layer_and_own_ones_to_the_network() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.second.weight = self.first.weight

    network = Net()
    watch = LayerWatch(network)
    with watch.step(0, torch.optim.SGD(network.parameters(), 0.1)):
        pass
    (ratios,) = watch.take()
    assert isinstance(ratios, LayerRatios)
    assert [name for name, _ in ratios.ratios] == ["the network", "first", "second"]


@pytest.fixture
def told(short: Recipe) -> tuple[RunFolder, list[Event]]:
    folder = RunFolder.create(short)
    return folder, list(fit(short, folder, "cpu"))


def kept_in(folder: RunFolder) -> list[LayerRatios]:
    return [event for event in folder.read_metrics().events if isinstance(event, LayerRatios)]


def test_ratios_are_kept_in_the_metrics_and_survive_json(told: tuple[RunFolder, list[Event]]) -> None:
    folder, events = told
    ratios = [event for event in events if isinstance(event, LayerRatios)]
    assert [event.step for event in ratios] == [*range(1, 13)]
    assert kept_in(folder) == ratios
    document = json.loads(json.dumps(to_document(ratios[0]), allow_nan=False))
    assert from_document(document) == ratios[0]
    for damaged in ([["c1"]], [["c1", "0.1"]], [[1, 0.1]], ["c1"], {"c1": 0.1}, [["c1", math.nan]]):
        assert from_document(document | {"ratios": damaged}) is None


def test_resuming_drops_the_ratios_of_steps_that_are_taken_again(told: tuple[RunFolder, list[Event]]) -> None:
    folder, _ = told
    folder.rewind(1, 8)
    assert [event.step for event in kept_in(folder)] == [*range(1, 9)]


def test_a_long_run_keeps_some_hundred() -> None:
    watch = LayerWatch(nn.Linear(1, 1))
    kept = [step for step in range(1, 1_000_000, 7) if watch.is_kept(LayerRatios(step, ()))]
    assert 400 < len(kept) < 800
    assert max(later / earlier for earlier, later in pairwise(kept[100:])) < 1.03


def test_most_steps_are_not_looked_at(short: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_statistics, "RATIOS_EVERY", 1e9)
    events = list(fit(short, RunFolder.create(short), "cpu"))
    assert [event.step for event in events if isinstance(event, LayerRatios)] == [1]
