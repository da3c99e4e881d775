"""Networks with auxiliary heads: all losses at once, or one head after the other."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
import torch

from explorer.errors import InputError
from explorer.tasks.classification import loss, loss_in_turn
from explorer.training.events import Epoch, Event, Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe, change, from_mapping
from explorer.training.run_folder import RunFolder

Write = Callable[[str], str]

HEADS = """\
def build(self):
    self.trunk = nn.Linear(64, 16)
    self.near, self.far, self.main = (nn.Linear(16, 10) for _ in range(3))
def forward(self, x):
    x = torch.relu(self.trunk(x.flatten(1)))
    return (self.main(x), self.far(x), self.near(x)) if self.training else self.main(x)
"""

MAIN = torch.tensor([[2.0, 0.0, 1.0]])
FAR, NEAR = MAIN.flip(1), -MAIN
LABELS = torch.tensor([0])


def moved(recipe: Recipe) -> list[set[str]]:
    """Trains and returns, for each epoch, the layers whose weights it changed."""
    folder = RunFolder.create(recipe)
    states = []
    for event in fit(recipe, folder, "cpu"):
        if isinstance(event, Epoch):
            checkpoint = folder.load_checkpoint()
            assert checkpoint is not None
            states.append({name: weights.clone() for name, weights in checkpoint["model"].items()})
    return [
        {name.partition(".")[0] for name in after if not torch.equal(before[name], after[name])}
        for before, after in pairwise(states)
    ]


def test_heads_are_trained_from_the_image_to_the_output() -> None:
    outputs = (MAIN, FAR, NEAR)
    chosen = [float(loss_in_turn(outputs, LABELS, step, 9)) for step in range(9)]
    alone = [float(loss(head, LABELS)) for head in (NEAR, FAR, MAIN)]
    assert chosen == [value for value in alone for _ in range(3)]


def test_parts_of_a_run_are_as_equal_as_its_steps_allow() -> None:
    chosen = [float(loss_in_turn((MAIN, FAR, NEAR), LABELS, step, 10)) for step in range(10)]
    assert [chosen.count(float(loss(head, LABELS))) for head in (NEAR, FAR, MAIN)] == [4, 3, 3]
    assert float(loss_in_turn((MAIN, NEAR), LABELS, 0, 1, 0.3)) == float(loss(NEAR, LABELS, 0.3))


def test_one_head_after_the_other_learns_in_its_own_part_of_the_run(network_file: Write) -> None:
    recipe = Recipe(network_file(HEADS), input=(1, 8, 8), epochs=6, batch_size=512, auxiliary="in turn")
    second, third, fourth, fifth, sixth = moved(recipe)
    assert second - {"flat"} == {"trunk", "near"}
    assert third == fourth == {"trunk", "far"}
    assert fifth == sixth == {"trunk", "main"}


def test_a_resumed_run_goes_on_with_the_head_that_it_was_at(
    network_file: Write, every_step: None, losses: Callable[[Iterable[Event]], list[float]]
) -> None:
    recipe = Recipe(network_file(HEADS), input=(1, 8, 8), epochs=3, batch_size=512, auxiliary="in turn")
    whole = losses(fit(recipe, RunFolder.create(recipe), "cpu"))
    folder = RunFolder.create(recipe)
    events = fit(recipe, folder, "cpu")
    begun: list[Event] = []
    for event in events:
        begun.append(event)
        if isinstance(event, Steps) and event.step == 4:
            events.close()
    assert losses(begun) + losses(fit(recipe, folder, "cpu", resume=True)) == whole


def test_summed_losses_train_all_heads_at_every_step(network_file: Write) -> None:
    recipe = Recipe(network_file(HEADS), input=(1, 8, 8), epochs=3, batch_size=512)
    assert moved(recipe) == [{"trunk", "near", "far", "main"}] * 2


def test_accuracy_is_that_of_the_main_output(network_file: Write) -> None:
    recipe = Recipe(network_file(HEADS), input=(1, 8, 8), epochs=6, batch_size=64, auxiliary="in turn")
    epochs = [event for event in fit(recipe, RunFolder.create(recipe), "cpu") if isinstance(event, Epoch)]
    assert max(event.validation_accuracy for event in epochs[:4]) < 0.5
    assert epochs[-1].validation_accuracy > 0.8


@pytest.mark.parametrize("way", ["summed", "in turn"])
def test_googlenet_trains_on_the_digits_with_its_heads(way: str, every_step: None) -> None:
    recipe = Recipe("googlenet", input=(3, 80, 80), options={"aux": True}, batch_size=4, epochs=1, auxiliary=way)  # type: ignore[arg-type]
    events = fit(recipe, RunFolder.create(recipe), "cpu")
    losses: list[float] = []
    for event in events:
        if isinstance(event, Steps):
            losses += event.losses
        if len(losses) >= 2:
            events.close()
    expected = 1.6 if way == "summed" else 1
    # fresh heads guess: each adds about the logarithm of ten
    assert losses[0] == pytest.approx(expected * 2.303, rel=0.3)


def test_a_network_without_heads_cannot_train_them_in_turn() -> None:
    recipe = Recipe(auxiliary="in turn", epochs=1)
    with pytest.raises(InputError, match="no auxiliary heads to train in turn: choose auxiliary=summed, or aux=true"):
        list(fit(recipe, RunFolder.create(recipe), "cpu"))


def test_the_way_is_part_of_the_recipe_and_of_the_command_line() -> None:
    recipe = change(Recipe("googlenet"), {"auxiliary": "in turn", "aux": "true"})
    assert recipe.auxiliary == "in turn"
    assert recipe.options == {"aux": "true"}
    assert from_mapping(tomllib.loads(recipe.to_toml())) == recipe
    with pytest.raises(InputError, match="auxiliary must be one of summed, in turn, not 'alternating'"):
        change(Recipe("googlenet"), {"auxiliary": "alternating"})
